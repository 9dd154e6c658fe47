"""A worker: one shard a task; what can't be used is said, what can't be written is raised."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.small_collections import QUICK, write_photographs

from tiepoint.collection.images import ImageRecord, scan_images
from tiepoint.collection.run import tasks
from tiepoint.collection.run.tasks import Extract, Job, Match, Verify, Worker
from tiepoint.collection.stores import Stores
from tiepoint.errors import StoreError
from tiepoint.feature_store.keys import pair_key
from tiepoint.geometry.estimate import estimate_fundamental

OPTIONS = {name: value for name, value in QUICK.items() if name != "preset"}


@pytest.fixture
def photographs(tmp_path: Path) -> tuple[ImageRecord, ...]:
    found, problems = scan_images(write_photographs(tmp_path / "photos", 3))
    assert not problems
    return found


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(
        Job(preset=QUICK["preset"], load=OPTIONS, max_error_px=4.0, stores=str(tmp_path / "stores"))
    )


def stores_of(worker: Worker) -> Stores:
    return Stores.open(worker.job.stores, worker.settings)


def test_three_tasks_after_another(worker: Worker, photographs: tuple[ImageRecord, ...]):
    extracted = worker.do(Extract(photographs))
    assert extracted.keys == tuple(photograph.key for photograph in photographs)
    assert (extracted.size, extracted.problems) == (3, ())
    shards = dict.fromkeys(extracted.keys, extracted.shard)
    pair = (photographs[0].key, photographs[1].key)
    matched = worker.do(Match((pair,), shards))
    assert matched.keys == (pair_key(pair),)
    verified = worker.do(Verify((pair,), shards | {pair_key(pair): matched.shard}))
    stores = stores_of(worker)
    found = stores.matches.read("matches", pair_key(pair))
    assert found["num_matches"] == len(found["matches"]) == len(found["scores"]) > 8
    keypoints = [stores.features.read("features", key, "keypoints")["keypoints"] for key in pair]
    points = [side[found["matches"][:, number]] for number, side in enumerate(keypoints)]
    estimate = estimate_fundamental(points[0], points[1], max_error_px=4.0)
    record = stores.verified.read("verified", pair_key(pair))
    np.testing.assert_array_equal(record["inliers"], np.flatnonzero(estimate.inliers))
    assert {*extracted.seconds, *matched.seconds, *verified.seconds} == {
        "extract",
        "read",
        "match",
        "verify",
        "write",
    }


def test_equal_contents_are_extracted_once(
    worker: Worker, photographs: tuple[ImageRecord, ...], monkeypatch: pytest.MonkeyPatch
):
    twin = photographs[0].path.with_name("twin.png")
    shutil.copy2(photographs[0].path, twin)
    twins = (photographs[0], replace(photographs[0], name="twin.png", path=twin))
    asked = []
    extract = worker._matcher.extract
    monkeypatch.setattr(worker._matcher, "extract", lambda path: asked.append(path) or extract(path))
    outcome = worker.do(Extract(twins))
    assert len(asked) == 1
    first, second = (stores_of(worker).features.read("features", key)["keypoints"] for key in outcome.keys)
    np.testing.assert_array_equal(first, second)


def test_a_photograph_that_changed_in_the_meantime_is_left_out(
    worker: Worker, photographs: tuple[ImageRecord, ...]
):
    os.utime(photographs[1].path, ns=(0, 0))
    outcome = worker.do(Extract(photographs))
    assert outcome.keys == (photographs[0].key, photographs[2].key)
    assert "view 2.png" in outcome.problems[0]
    assert "changed" in outcome.problems[0]


def test_a_photograph_that_is_gone_is_left_out(worker: Worker, photographs: tuple[ImageRecord, ...]):
    for photograph in photographs:
        photograph.path.unlink()
    outcome = worker.do(Extract(photographs))
    assert (outcome.shard, outcome.keys, len(outcome.problems)) == ("", (), 3)


def test_damaged_features_are_an_error_and_set_aside(worker: Worker, photographs: tuple[ImageRecord, ...]):
    outcome = worker.do(Extract(photographs))
    (path,) = Path(worker.job.stores).rglob(outcome.shard)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StoreError, match="damaged"):
        worker.do(Match(((outcome.keys[0], outcome.keys[1]),), dict.fromkeys(outcome.keys, outcome.shard)))
    assert not path.exists()


def test_features_in_memory_are_bounded(
    worker: Worker, photographs: tuple[ImageRecord, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, "CACHE_SIZE", 2)
    outcome = worker.do(Extract(photographs))
    first, second, third = outcome.keys
    worker.do(Match(((first, second), (first, third)), dict.fromkeys(outcome.keys, outcome.shard)))
    assert len(worker._features) == 2


def test_settings_depend_on_each_other(worker: Worker):
    features, matches, verified = (worker.settings[kind] for kind in ("features", "matches", "verified"))
    assert features.items() < matches.items() < verified.items()
    stricter = Worker(replace(worker.job, max_error_px=1.0)).settings
    assert stricter["matches"] == matches
    assert stricter["verified"] != verified
