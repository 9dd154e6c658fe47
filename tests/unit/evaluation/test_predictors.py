"""Presets as predictors, and the settings of their stores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.shift_dataset import ShiftPredictor, shifted_dataset

from tiepoint import api
from tiepoint.errors import StoreError
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.predictors import Predictor, PresetPredictor, describe
from tiepoint.evaluation.protocols import Prediction
from tiepoint.evaluation.score import read_matched
from tiepoint.feature_store import Store
from tiepoint.image import read_image


def test_other_settings_are_refused_with_the_difference(tmp_path: Path):
    small, large = Prediction(resize=640), Prediction(resize=1024)
    predictor = ShiftPredictor()
    Store(tmp_path, describe(predictor, small))
    with pytest.raises(StoreError, match="resize 640, not 1024"):
        Store(tmp_path, describe(predictor, large))
    with pytest.raises(StoreError, match="fingerprint 'shift 1', not 'shift 2'"):
        Store(tmp_path, describe(ShiftPredictor(fingerprint="shift 2"), small))


@pytest.mark.weights
@pytest.mark.parametrize(("side", "longer"), [("long", 96), ("short", 128)])
def test_a_preset_uses_the_settings_of_the_protocol(tmp_path: Path, side: str, longer: int):
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "a.png")
    PIL.Image.fromarray(pixels[:, ::-1]).save(tmp_path / "b.png")
    prediction = Prediction(resize=96, side=side, max_keypoints=50)  # type: ignore[arg-type]
    predictor = PresetPredictor("aliked-t16+nearest", prediction, device="cpu")
    assert isinstance(predictor, Predictor)
    (pair,) = shifted_dataset(tmp_path, shifts=(0, 1)).pairs
    pair = replace(pair, image0=tmp_path / "a.png", image1=tmp_path / "b.png")
    predictions = predict([pair], predictor, Store(tmp_path / "store", {}))
    matched = read_matched(predictions, pair.name)
    alone = api.load("aliked-t16+nearest", device="cpu", max_keypoints=50, resize=longer)
    assert matched.image_size0 == (160, 120)
    np.testing.assert_array_equal(matched.keypoints0, alone.extract(pair.image0).keypoints.numpy())


@pytest.mark.weights
@pytest.mark.parametrize(("upscale", "longer"), [(True, 320), (False, 160), (None, 160)])
def test_upscaling_is_that_of_the_protocol_or_the_preset(upscale: bool | None, longer: int):
    pixels = np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    prediction = Prediction(resize=320, upscale=upscale, max_keypoints=50)
    predictor = PresetPredictor("fast", prediction, device="cpu")
    assert predictor.name == "xfeat+lighterglue"
    alone = api.load("xfeat+nearest", device="cpu", max_keypoints=50, resize=longer, upscale=True)
    found, expected = (extract(read_image(pixels)) for extract in (predictor.extract, alone.extract))
    np.testing.assert_array_equal(found.keypoints.numpy(), expected.keypoints.numpy())


@pytest.mark.weights
def test_the_fingerprint_of_a_preset_changes_with_every_setting():
    predictions = [Prediction(), Prediction(resize=640), Prediction(adaptive=True), Prediction(side="short")]
    predictions.append(Prediction(upscale=False))
    presets = ["aliked+nearest", "aliked-t16+nearest", "aliked+lightglue"]
    found = {PresetPredictor(presets[0], prediction, device="cpu").fingerprint for prediction in predictions}
    found |= {PresetPredictor(preset, predictions[0], device="cpu").fingerprint for preset in presets}
    assert len(found) == len(predictions) + len(presets) - 1
