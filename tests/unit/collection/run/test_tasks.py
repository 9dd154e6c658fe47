"""Worker: one shard per task; unusable images are problems, write failures are errors."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.small_collections import QUICK, write_image_folder

from tiepoint.collection.images import ImageRecord, scan_images
from tiepoint.collection.run import tasks
from tiepoint.collection.run.tasks import Extract, Job, Match, Verify, Worker
from tiepoint.collection.state import Stores
from tiepoint.errors import StoreError
from tiepoint.feature_store.keys import pair_key
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.matching.prescreening import CALIBRATIONS, Calibration, Effort, Prescreener
from tiepoint.types import Correspondences

OPTIONS = {name: value for name, value in QUICK.items() if name != "preset"}


@pytest.fixture
def images(tmp_path: Path) -> tuple[ImageRecord, ...]:
    found, problems = scan_images(write_image_folder(tmp_path / "photos", 3))
    assert not problems
    return found


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(
        Job(preset=QUICK["preset"], load=OPTIONS, max_error_px=4.0, stores=str(tmp_path / "stores"))
    )


def stores_of(worker: Worker) -> Stores:
    return Stores.open(worker.job.stores, worker.settings)


def test_extract_match_verify(worker: Worker, images: tuple[ImageRecord, ...]):
    extracted = worker.run(Extract(images))
    assert extracted.keys == tuple(image.key for image in images)
    assert (extracted.size, extracted.problems) == (3, ())
    shards = dict.fromkeys(extracted.keys, extracted.shard)
    pair = (images[0].key, images[1].key)
    matched = worker.run(Match((pair,), shards))
    assert matched.keys == (pair_key(pair),)
    verified = worker.run(Verify((pair,), shards | {pair_key(pair): matched.shard}))
    stores = stores_of(worker)
    found = stores.matches.read("matches", pair_key(pair))
    assert found["num_matches"] == len(found["matches"]) == len(found["scores"]) > 8
    keypoints = [stores.features.read("features", key, "keypoints")["keypoints"] for key in pair]
    points = [side[found["matches"][:, number]] for number, side in enumerate(keypoints)]
    estimate = estimate_two_view(Correspondences.from_points(points[0], points[1]), max_error_px=4.0)
    record = stores.verified.read("verified", pair_key(pair))
    np.testing.assert_array_equal(record["inliers"], np.flatnonzero(estimate.inliers))
    assert {*extracted.seconds, *matched.seconds, *verified.seconds} == {
        "extract",
        "read",
        "match",
        "verify",
        "write",
    }


def test_duplicates_are_extracted_once(
    worker: Worker, images: tuple[ImageRecord, ...], monkeypatch: pytest.MonkeyPatch
):
    twin = images[0].path.with_name("twin.png")
    shutil.copy2(images[0].path, twin)
    twins = (images[0], replace(images[0], name="twin.png", path=twin))
    asked = []
    extract = worker._matcher.extract
    monkeypatch.setattr(worker._matcher, "extract", lambda path: asked.append(path) or extract(path))
    outcome = worker.run(Extract(twins))
    assert len(asked) == 1
    first, second = (stores_of(worker).features.read("features", key)["keypoints"] for key in outcome.keys)
    np.testing.assert_array_equal(first, second)


def test_image_changed_during_the_run_is_left_out(worker: Worker, images: tuple[ImageRecord, ...]):
    os.utime(images[1].path, ns=(0, 0))
    outcome = worker.run(Extract(images))
    assert outcome.keys == (images[0].key, images[2].key)
    assert "view 2.png" in outcome.problems[0]
    assert "changed" in outcome.problems[0]


def test_removed_image_is_left_out(worker: Worker, images: tuple[ImageRecord, ...]):
    for image in images:
        image.path.unlink()
    outcome = worker.run(Extract(images))
    assert (outcome.shard, outcome.keys, len(outcome.problems)) == ("", (), 3)


def test_damaged_features_are_quarantined(worker: Worker, images: tuple[ImageRecord, ...]):
    outcome = worker.run(Extract(images))
    (path,) = Path(worker.job.stores).rglob(outcome.shard)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StoreError, match="damaged"):
        worker.run(Match(((outcome.keys[0], outcome.keys[1]),), dict.fromkeys(outcome.keys, outcome.shard)))
    assert not path.exists()


def test_feature_cache_is_bounded(
    worker: Worker, images: tuple[ImageRecord, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, "CACHE_SIZE", 2)
    outcome = worker.run(Extract(images))
    first, second, third = outcome.keys
    worker.run(Match(((first, second), (first, third)), dict.fromkeys(outcome.keys, outcome.shard)))
    assert len(worker._features) == 2


def test_settings_depend_on_each_other(worker: Worker):
    features, matches, verified = (worker.settings[kind] for kind in ("features", "matches", "verified"))
    assert features.items() < matches.items() < verified.items()
    stricter = Worker(replace(worker.job, max_error_px=1.0)).settings
    assert stricter["matches"] == matches
    assert stricter["verified"] != verified


def test_prescreened_pairs_have_no_matches_and_their_probability(
    tmp_path: Path, images: tuple[ImageRecord, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pair is dropped, the second one matched in full; both are verified."""
    calibration = Calibration(effort=Effort(), threshold=0.5)
    monkeypatch.setitem(CALIBRATIONS, QUICK["preset"], calibration)
    monkeypatch.setattr(Prescreener, "probabilities", lambda self, pairs: [0.25, 0.5][: len(pairs)])
    job = Job(
        preset=QUICK["preset"],
        load=OPTIONS,
        max_error_px=4.0,
        stores=str(tmp_path / "stores"),
        prescreen=0.5,
    )
    worker = Worker(job)
    shards = dict.fromkeys((image.key for image in images), worker.run(Extract(images)).shard)
    pairs = (images[0].key, images[1].key), (images[1].key, images[2].key)
    matched = worker.run(Match(pairs, shards))
    assert "prescreen" in matched.seconds
    stores = stores_of(worker)
    first, second = (stores.matches.read("matches", pair_key(pair)) for pair in pairs)
    assert (first["prescreened"], first["probability"], first["num_matches"]) == (1, 0.25, 0)
    assert (second["prescreened"], second["probability"]) == (0, 0.5)
    assert second["num_matches"] > 8
    worker.run(Verify(pairs, shards | {pair_key(pair): matched.shard for pair in pairs}))
    geometry = [stores.verified.read("verified", pair_key(pair)) for pair in pairs]
    assert [record["success"] for record in geometry] == [0, 1]


def test_prescreening_has_a_store_of_its_own(worker: Worker) -> None:
    settings = [tasks.record_settings(worker._matcher, 4.0, prescreen) for prescreen in (None, 0.1, 0.2)]
    assert len({str(found["matches"]) for found in settings}) == 3
    assert len({str(found["features"]) for found in settings}) == 1
