"""Loop 1: each image once, each pair once, and after an interruption only what is missing."""

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

from tiepoint import api
from tiepoint.errors import StoreError
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.predictors import Predictor, PresetPredictor, describe
from tiepoint.evaluation.protocols import Prediction
from tiepoint.evaluation.score import read_matched
from tiepoint.feature_store import Store
from tiepoint.feature_store.records import features_from_record
from tiepoint.io.progress import Advance

SETTINGS = {"name": "shift"}


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[EvaluationPair, ...]:
    folder = tmp_path / "photographs"
    folder.mkdir()
    return shifted_dataset(folder, shifts=range(12)).pairs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", SETTINGS)


def test_each_image_and_pair_once(pairs, store: Store):
    predictor = ShiftPredictor()
    predictions = predict([*pairs, pairs[0]], predictor, store)
    assert sorted(predictor.extracted) == list(range(12))
    assert sum(predictor.matched) == len(pairs) == 11
    assert max(predictor.matched) == 8, "pairs are matched in batches"
    assert predictions.images.keys() == {pair.name for pair in pairs}
    assert predictions.problems == ()


def test_nothing_is_done_twice(pairs, store: Store):
    predict(pairs, ShiftPredictor(), store)
    again = ShiftPredictor()
    predictions = predict(pairs, again, Store(store.folder, SETTINGS))
    assert (again.extracted, again.matched) == ([], [])
    assert len(predictions.images) == len(pairs)


def test_a_killed_run_goes_on(pairs, store: Store):
    """Killed at the eleventh image: the first shard of eight stays."""
    with pytest.raises(KeyboardInterrupt):
        predict(pairs, ShiftPredictor(stop_after=10), store)
    rest = ShiftPredictor()
    predictions = predict(pairs, rest, Store(store.folder, SETTINGS))
    assert len(rest.extracted) == 12 - 8
    matched = read_matched(predictions, pairs[-1].name)
    np.testing.assert_allclose(matched.points1[:, 0] - matched.points0[:, 0], 11, atol=1e-5)


def test_more_pairs_later_cost_only_these(pairs, store: Store):
    predict(pairs[:3], ShiftPredictor(), store)
    more = ShiftPredictor()
    predict(pairs, more, store)
    assert sorted(more.extracted) == list(range(4, 12))
    assert sum(more.matched) == 8


def test_a_data_set_may_move(pairs, store: Store, tmp_path: Path):
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


def test_an_image_that_changed_is_extracted_again(pairs, store: Store):
    predict(pairs, ShiftPredictor(), store)
    PIL.Image.new("RGB", (64, 48), (13, 13, 13)).save(pairs[0].image1)
    again = ShiftPredictor()
    predict(pairs, again, store)
    assert again.extracted == [13]
    assert again.matched == [1]


@pytest.mark.parametrize("fault", ["missing", "no image", "a folder"])
def test_an_image_that_cannot_be_read_is_a_problem(pairs, store: Store, fault: str):
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


def test_quarter_turns_turn_as_numpy_does(tmp_path: Path, store: Store):
    pixels = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
    (pair,) = shifted_dataset(tmp_path, shifts=(0, 1)).pairs
    PIL.Image.fromarray(pixels).save(pair.image1)
    seen = []

    class Watching(ShiftPredictor):
        def extract(self, image):
            seen.append(image.pixels.permute(1, 2, 0).numpy())
            return super().extract(replace(image, pixels=torch.zeros_like(image.pixels)))

    turned = [replace(pair, name=str(turns), quarter_turns1=turns) for turns in range(4)]
    predict(turned, Watching(), store)
    assert len(seen) == 1 + 4
    for turns in range(4):
        np.testing.assert_array_equal(seen[1 + turns], np.rot90(pixels, turns))


def test_features_are_matched_as_they_come_back(pairs, store: Store):
    """float16 and all: else a resumed run would differ from an undisturbed one."""
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


def test_other_settings_are_refused_with_the_difference(tmp_path: Path):
    small, large = Prediction(resize=640), Prediction(resize=1024)
    predictor = ShiftPredictor()
    Store(tmp_path, describe(predictor, small))
    with pytest.raises(StoreError, match="resize 640, not 1024"):
        Store(tmp_path, describe(predictor, large))
    with pytest.raises(StoreError, match="fingerprint 'shift 1', not 'shift 2'"):
        Store(tmp_path, describe(ShiftPredictor(fingerprint="shift 2"), small))


def test_progress_is_reported(pairs, store: Store):
    calls: list[tuple[int | None, str]] = []

    @contextmanager
    def progress(description: str, total: int | None) -> Iterator[Advance]:
        calls.append((total, description))
        yield lambda _: None

    predict(pairs, ShiftPredictor(), store, progress=progress)
    assert calls == [(2, "shift: 12 images"), (2, "shift: 11 pairs")]


def test_the_record_of_an_image_keeps_everything(pairs, store: Store):
    predictor = ShiftPredictor()
    predictions = predict(pairs[:1], predictor, store)
    key = predictions.images[pairs[0].name][1]
    record = store.read("features", key)
    features = features_from_record(record)
    assert features.image_size == (64, 48)
    assert features.source == str(pairs[0].image1)
    assert {"seconds_read", "seconds_extract"} <= set(record)


@pytest.mark.weights
@pytest.mark.parametrize(("side", "longer"), [("long", 96), ("short", 128)])
def test_a_preset_sees_what_the_protocol_says(tmp_path: Path, store: Store, side: str, longer: int):
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    PIL.Image.fromarray(pixels[:, ::-1]).save(tmp_path / "b.png")
    prediction = Prediction(resize=96, side=side, max_keypoints=50)  # type: ignore[arg-type]
    predictor = PresetPredictor("aliked-t16+nearest", prediction, device="cpu")
    assert isinstance(predictor, Predictor)
    (pair,) = shifted_dataset(tmp_path, shifts=(0, 1)).pairs
    pair = replace(pair, image0=tmp_path / "a.png", image1=tmp_path / "b.png")
    predictions = predict([pair], predictor, store)
    matched = read_matched(predictions, pair.name)
    alone = api.load("aliked-t16+nearest", device="cpu", max_keypoints=50, resize=longer)
    assert matched.image_size0 == (160, 120)
    np.testing.assert_array_equal(matched.keypoints0, alone.extract(pair.image0).keypoints.numpy())


@pytest.mark.weights
def test_the_fingerprint_of_a_preset_changes_with_every_setting():
    predictions = [Prediction(), Prediction(resize=640), Prediction(adaptive=True), Prediction(side="short")]
    presets = ["aliked+nearest", "aliked-t16+nearest", "aliked+lightglue"]
    found = {PresetPredictor(presets[0], prediction, device="cpu").fingerprint for prediction in predictions}
    found |= {PresetPredictor(preset, predictions[0], device="cpu").fingerprint for preset in presets}
    assert len(found) == len(predictions) + len(presets) - 1
