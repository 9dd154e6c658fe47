"""Stage 1: each image and pair is processed once; interrupted runs resume."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.shift_dataset import COUNT, ShiftPredictor, shifted_dataset

from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.score import read_matched
from tiepoint.feature_store import Store
from tiepoint.feature_store.records import features_from_record
from tiepoint.io.progress import Advance

SETTINGS = {"name": "shift"}


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[EvaluationPair, ...]:
    folder = tmp_path / "images"
    folder.mkdir()
    return shifted_dataset(folder, shifts=range(12)).pairs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", SETTINGS)


def test_each_image_and_pair_is_processed_once(pairs, store: Store):
    predictor = ShiftPredictor()
    predictions = predict([*pairs, pairs[0]], predictor, store)
    assert sorted(predictor.extracted) == list(range(12))
    assert sum(predictor.matched) == len(pairs) == 11
    assert max(predictor.matched) == 8, "pairs are matched in batches"
    assert predictions.images.keys() == {pair.name for pair in pairs}
    assert predictions.problems == ()


def test_nothing_is_computed_twice(pairs, store: Store):
    predict(pairs, ShiftPredictor(), store)
    again = ShiftPredictor()
    predictions = predict(pairs, again, Store(store.folder, SETTINGS))
    assert (again.extracted, again.matched) == ([], [])
    assert len(predictions.images) == len(pairs)


def test_an_interrupted_run_resumes(pairs, store: Store):
    """Interrupted at the eleventh image: the first shard of eight is kept."""
    with pytest.raises(KeyboardInterrupt):
        predict(pairs, ShiftPredictor(stop_after=10), store)
    rest = ShiftPredictor()
    predictions = predict(pairs, rest, Store(store.folder, SETTINGS))
    assert len(rest.extracted) == 12 - 8
    matched = read_matched(predictions, pairs[-1].name)
    np.testing.assert_allclose(matched.points1[:, 0] - matched.points0[:, 0], 11, atol=1e-5)


def test_additional_pairs_are_computed_incrementally(pairs, store: Store):
    predict(pairs[:3], ShiftPredictor(), store)
    more = ShiftPredictor()
    predict(pairs, more, store)
    assert sorted(more.extracted) == list(range(4, 12))
    assert sum(more.matched) == 8


def test_a_data_set_may_be_moved(pairs, store: Store, tmp_path: Path):
    predict(pairs, ShiftPredictor(), store)
    shutil.copytree(pairs[0].image0.parent, tmp_path / "elsewhere")
    moved = [
        replace(
            pair,
            image0=tmp_path / "elsewhere" / pair.image0.name,
            image1=tmp_path / "elsewhere" / pair.image1.name,
        )
        for pair in pairs
    ]
    again = ShiftPredictor()
    predict(moved, again, store)
    assert again.extracted == []


def test_a_changed_image_is_extracted_again(pairs, store: Store):
    predict(pairs, ShiftPredictor(), store)
    PIL.Image.new("RGB", (64, 48), (13, 13, 13)).save(pairs[0].image1)
    again = ShiftPredictor()
    predict(pairs, again, store)
    assert again.extracted == [13]
    assert again.matched == [1]


@pytest.mark.parametrize("fault", ["missing", "no image", "a folder"])
def test_an_unreadable_image_is_reported(pairs, store: Store, fault: str):
    bad = pairs[4].image1
    bad.unlink()
    if fault == "no image":
        bad.write_text("not pixels")
    if fault == "a folder":
        bad.mkdir()
    predictions = predict(pairs, ShiftPredictor(), store)
    assert len(predictions.problems) == 1
    assert bad.name in predictions.problems[0]
    assert predictions.images.keys() == {pair.name for pair in pairs} - {pairs[4].name}


def test_rotations_are_those_of_numpy(tmp_path: Path, store: Store):
    pixels = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
    (pair,) = shifted_dataset(tmp_path, shifts=(0, 1)).pairs
    PIL.Image.fromarray(pixels).save(pair.image1)
    seen = []

    class Watching(ShiftPredictor):
        def extract(self, image):
            seen.append(image.pixels.permute(1, 2, 0).numpy())
            return super().extract(replace(image, pixels=torch.zeros_like(image.pixels)))

    turned = [replace(pair, name=str(turns), num_rotations1=turns) for turns in range(4)]
    predict(turned, Watching(), store)
    assert len(seen) == 1 + 4
    for turns in range(4):
        np.testing.assert_array_equal(seen[1 + turns], np.rot90(pixels, turns))


def test_features_are_read_back_before_matching(pairs, store: Store):
    """Including float16 rounding; otherwise a resumed run would differ from an uninterrupted one."""
    seen = []

    class Watching(ShiftPredictor):
        def match_features(self, pairs):
            seen.extend(pairs)
            return super().match_features(pairs)

    predict(pairs[:1], Watching(), store)
    expected = torch.eye(COUNT).div(3).half().float()
    assert torch.equal(seen[0][0].descriptors, expected)
    assert seen[0][0].descriptors.dtype == torch.float32
    assert not torch.equal(expected, torch.eye(COUNT) / 3)


def test_progress_is_reported(pairs, store: Store):
    calls: list[tuple[int | None, str]] = []

    @contextmanager
    def progress(description: str, total: int | None) -> Iterator[Advance]:
        calls.append((total, description))
        yield lambda _: None

    predict(pairs, ShiftPredictor(), store, progress=progress)
    assert calls == [(2, "shift: 12 images"), (2, "shift: 11 pairs")]


def test_the_record_of_an_image_is_complete(pairs, store: Store):
    predictor = ShiftPredictor()
    predictions = predict(pairs[:1], predictor, store)
    key = predictions.images[pairs[0].name][1]
    record = store.read("features", key)
    features = features_from_record(record)
    assert features.image_size == (64, 48)
    assert features.source == str(pairs[0].image1)
    assert {"seconds_read", "seconds_extract"} <= set(record)
