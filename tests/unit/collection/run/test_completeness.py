"""Incomplete collections: all writers leave out missing data, write the rest, and warn in one line with the command to run."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import pycolmap
import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.formats import MATCH_EXPORTS, export_as
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.report.statistics import compute_statistics
from tiepoint.collection.run.completeness import describe_missing
from tiepoint.collection.sfm.reconstruction import reconstruct
from tiepoint.collection.state import Stores, write_state
from tiepoint.errors import StoreError

WRITERS: dict[str, Callable[[Collection], object]] = {
    **{form: lambda collection, form=form: export_as(collection, form) for form in MATCH_EXPORTS},
    "reconstruct": reconstruct,
    "view": write_html_view,
}


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """A verified collection with one shard per image."""
    made, _ = make_collection(tmp_path)
    made.state.options["verify"] = True
    write_state(made.folder, made.state)
    store = Stores.open(made.state.stores, made.state.settings).features
    records = {photo.key: store.read("features", photo.key) for photo in made.images}
    for path in made.folder.glob("stores/features-*/features/*.h5"):
        path.unlink()
    for key, record in records.items():
        store.write("features", {key: record})
    return open_collection(made.folder)


def damage(folder: Path, kind: str) -> Path:
    path = sorted(folder.glob(f"stores/{kind}-*/{kind}/*.h5"))[0]
    path.write_bytes(path.read_bytes()[:-100])
    return path


def warnings_of(folder: Path, write: Callable[[Collection], object]) -> list[str]:
    """Warnings when something is written."""
    lines: list[str] = []
    write(open_collection(folder, on_warning=lines.append))
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_complete_collection_has_no_warning(
    collection: Collection, writer: str, caplog: pytest.LogCaptureFixture
):
    assert warnings_of(collection.folder, WRITERS[writer]) == []
    WRITERS[writer](collection)
    assert caplog.text == ""


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_features_leave_out_the_image_and_its_pairs(collection: Collection, writer: str):
    damage(collection.folder, "features")
    (line,) = warnings_of(collection.folder, WRITERS[writer])
    assert "1 of 6 images have no features, for example '" in line
    assert "5 of 15 selected pairs have no matches or features" in line
    assert f"tiepoint collection verify {collection.folder}" in line


@pytest.mark.slow
def test_pairs_have_features_of_both_images(collection: Collection):
    damage(collection.folder, "features")
    opened = open_collection(collection.folder)
    names = {image.name for image in opened.images}
    assert len(names) == 5
    pairs = list(opened.pairs())
    assert len(pairs) == 10
    assert {name for pair in pairs for name in pair} == names
    assert set(compute_statistics(opened, None)[0]) == names


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_matches_leave_out_the_pair(collection: Collection, writer: str):
    damage(collection.folder, "matches")
    (line,) = warnings_of(collection.folder, WRITERS[writer])
    assert "1 of 15 selected pairs have no matches or features" in line
    assert "tiepoint collection verify" in line


@pytest.mark.slow
def test_remaining_data_is_written(collection: Collection):
    damage(collection.folder, "matches")
    opened = open_collection(collection.folder)
    index = export_as(opened, "npz") / "pairs.jsonl"
    assert len(index.read_text().splitlines()) == 14
    with h5py.File(export_as(opened, "hloc") / "matches.h5") as file:
        assert sum(len(group) for group in file.values()) == 14
    with pycolmap.Database.open(str(export_as(opened, "colmap"))) as database:
        assert database.num_matched_image_pairs() == 14


@pytest.mark.slow
def test_warnings_are_logged_by_default(collection: Collection, caplog: pytest.LogCaptureFixture):
    damage(collection.folder, "matches")
    opened = open_collection(collection.folder)
    assert len(list(opened.pairs())) == 14
    caplog.clear()
    export_as(opened, "npz")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == describe_missing(opened)


@pytest.mark.slow
def test_page_shows_the_warning(collection: Collection):
    damage(collection.folder, "matches")
    page = write_html_view(collection).read_text(encoding="utf-8")
    assert '<p class="problem">' in page
    assert "1 of 15 selected pairs have no matches or features" in page


@pytest.mark.slow
def test_missing_verification(collection: Collection):
    damage(collection.folder, "verified")
    (line,) = warnings_of(collection.folder, WRITERS["npz"])
    assert "1 of 15 matched pairs are not verified" in line


def test_run_killed_before_the_selection(collection: Collection):
    (collection.folder / "pairs.txt").unlink()
    (line,) = warnings_of(collection.folder, WRITERS["npz"])
    assert "the last run ended before it selected pairs" in line


@pytest.mark.slow
def test_run_killed_during_extraction(collection: Collection):
    new = replace(collection.state.images[0], name="new.jpg", digest="f" * 16)
    write_state(
        collection.folder,
        replace(collection.state, images=(*collection.state.images, new)),
    )
    (line,) = warnings_of(collection.folder, WRITERS["npz"])
    assert "1 of 7 images have no features, for example 'new.jpg'" in line


def test_collection_without_verification_is_complete(tmp_path: Path):
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:3], verify=False)
    collection.state.options["verify"] = False
    write_state(collection.folder, collection.state)
    assert describe_missing(collection) == ""
    damage(collection.folder, "matches")
    assert f"tiepoint collection match {collection.folder}" in describe_missing(
        open_collection(collection.folder)
    )


@pytest.mark.slow
def test_damage_found_when_reading_names_the_command(collection: Collection):
    names = [image.name for image in collection.images]  # reads the store
    path = damage(collection.folder, "features")
    with pytest.raises(StoreError, match=rf"{path.name} is damaged.*tiepoint collection verify ") as caught:
        list(map(collection.features, names))
    assert "same command" not in str(caught.value)


@pytest.mark.slow
def test_damage_found_when_opening_is_logged_with_the_command(
    collection: Collection, caplog: pytest.LogCaptureFixture
):
    path = damage(collection.folder, "features")
    assert len(open_collection(collection.folder).images) == 5
    assert path.name in caplog.text
    assert "tiepoint collection verify " in caplog.text
    assert "recomputed" not in caplog.text
