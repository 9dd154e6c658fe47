"""Provenance: records computed from features or matches that have changed are recomputed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.small_collections import QUICK, assert_same_collections, write_image_folder

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.images import ImageRecord
from tiepoint.collection.run import stages, tasks
from tiepoint.collection.run.provenance import keypoints_digest
from tiepoint.collection.run.runner import match_collection
from tiepoint.collection.state import Stores
from tiepoint.errors import StoreError
from tiepoint.feature_store.hdf5_shard import read_header
from tiepoint.types import Features

REDONE = "view 2.png"


@pytest.fixture
def out(photos: Path) -> Path:
    """A complete collection."""
    match_collection(photos, photos.parent / "out", **QUICK)
    return photos.parent / "out"


def features_shard(out: Path, name: str = REDONE) -> Path:
    """The shard with the features of one image only."""
    (found,) = (
        path
        for path in out.glob("stores/features-*/features/*.h5")
        if read_header(path).keys[0].startswith(name)
    )
    return found


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def another_order(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first run, extraction returns one image's keypoints in reverse order, as may happen on another device."""
    extract = tasks.Worker._extract_image

    def turned(worker: tasks.Worker, image: ImageRecord) -> Features:
        found = extract(worker, image)
        if image.name != REDONE:
            return found
        arrays = ("keypoints", "scores", "descriptors")
        return replace(found, **{name: getattr(found, name).flip(0) for name in arrays})

    monkeypatch.setattr(tasks.Worker, "_extract_image", turned)


def fresh(photos: Path, **options: float) -> Collection:
    match_collection(photos, photos.parent / "fresh", **QUICK, **options)
    return open_collection(photos.parent / "fresh")


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
@pytest.mark.parametrize("lose", [damage, remove])
def test_matches_of_replaced_features_are_recomputed(photos: Path, out: Path, lose: Callable[[Path], None]):
    lose(features_shard(out))
    report = match_collection(photos, out, **QUICK)
    assert report.new["features"] == 1
    assert report.new["matches"] == report.new["verified"] >= 3
    assert any("computed from features that have been recomputed" in note for note in report.notes)
    assert_same_collections(open_collection(out), fresh(photos))
    assert match_collection(photos, out, **QUICK).new == {}


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
def test_killed_right_after_extraction(photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    damage(features_shard(out))

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stages.Stages, "_quarantine_stale", kill)
        with pytest.raises(KeyboardInterrupt):
            match_collection(photos, out, **QUICK)
    assert match_collection(photos, out, **QUICK).new["matches"] >= 3
    assert_same_collections(open_collection(out), fresh(photos))


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
def test_stale_matches_of_other_settings_are_found_when_these_are_used(photos: Path, out: Path):
    """Two match stores share the features; the run that recomputes the features uses only one of them."""
    other = {**QUICK, "filter_threshold": 0.9}
    match_collection(photos, out, **other)
    damage(features_shard(out))
    match_collection(photos, out, **other)
    assert match_collection(photos, out, **QUICK).new["matches"] >= 3
    assert_same_collections(open_collection(out), fresh(photos))


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
def test_extraction_alone_quarantines_stale_matches(photos: Path, out: Path):
    damage(features_shard(out))
    match_collection(photos, out, stop_after="extract", **QUICK)
    assert all(REDONE not in pair for pair in open_collection(out).pairs())


@pytest.mark.slow
def test_recomputed_identical_features_keep_the_matches(photos: Path, out: Path):
    damage(features_shard(out))
    assert match_collection(photos, out, **QUICK).new == {"features": 1}


@pytest.mark.slow
@pytest.mark.parametrize("lose", [damage, remove])
def test_geometry_of_changed_matches_is_recomputed(
    photos: Path, out: Path, lose: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
):
    record = tasks.matches_to_record
    monkeypatch.setattr(tasks, "matches_to_record", lambda m, s: record(m[::-1], s[::-1]))
    lose(next(out.glob("stores/matches-*/matches/*.h5")))
    report = match_collection(photos, out, **QUICK)
    assert report.new["verified"] == report.new["matches"] > 0
    assert_same_collections(open_collection(out), fresh(photos))


@pytest.mark.slow
def test_no_check_if_nothing_was_recomputed(photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stages, "STALE", {})
    assert match_collection(photos, out, **QUICK).new == {}
    match_collection(photos, out.with_name("new"), **QUICK)


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
def test_records_without_provenance_are_valid(photos: Path, out: Path):
    forget(out, "features", "digest")
    forget(out, "matches", "digest", "made_of")
    forget(out, "verified", "made_of")
    write_image_folder(photos, 5)
    assert match_collection(photos, out, **QUICK).new == {"features": 1, "matches": 4, "verified": 4}
    damage(features_shard(out, "view 5.png"))
    assert match_collection(photos, out, **QUICK).new == {"features": 1}


@pytest.mark.slow
@pytest.mark.usefixtures("another_order")
def test_verification_refuses_matches_of_other_features(photos: Path, out: Path):
    """For example, a worker that was considered dead wrote the features later."""
    store = opened(out).features
    (key,) = read_header(features_shard(out)).keys
    record = store.read("features", key)
    turned = {name: value[::-1] for name, value in record.items() if isinstance(value, np.ndarray)}
    turned["digest"] = keypoints_digest(key, turned["keypoints"])
    store.write("features", {key: record | turned})
    with pytest.raises(StoreError, match="other features"):
        match_collection(photos, out, max_error_px=1.0, **QUICK)
    match_collection(photos, out, max_error_px=1.0, **QUICK)
    assert_same_collections(open_collection(out), fresh(photos, max_error_px=1.0))


def opened(out: Path) -> Stores:
    return Stores.open(str(out / "stores"), open_collection(out).state.settings)


def forget(out: Path, kind: str, *names: str) -> None:
    """Write records as in versions without provenance."""
    store = opened(out).of(kind)
    for shard in store.shards(kind):
        records = {key: store.read(kind, key) for key in read_header(store.storage.fetch(kind, shard)).keys}
        assert all(name in record for record in records.values() for name in names)
        store.write(
            kind,
            {
                key: {name: value for name, value in record.items() if name not in names}
                for key, record in records.items()
            },
        )
