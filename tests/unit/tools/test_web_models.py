"""The list of models of the page, and its sample pair."""

import json
import sys
from pathlib import Path

import numpy as np
import PIL.Image
from skimage.data import stereo_motorcycle
from tests.helpers.paths import REPOSITORY

from tiepoint.geometry.pair_verification import MODELS

sys.path.append(str(REPOSITORY / "tools"))
from web_models import SAMPLE, model_index, write_sample


def test_the_sample_pair_is_that_of_the_demo(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for name, pixels in zip(SAMPLE, stereo_motorcycle()[:2], strict=True):
        assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / name)), pixels)


def test_the_list_has_the_coefficients_of_pair_verification() -> None:
    index = json.loads(json.dumps(model_index([{"folder": "fast"}])))
    assert {name: tuple(values) for name, values in index["verification"].items()} == MODELS
    assert index["sample"]["files"] == list(SAMPLE)
    assert index["bundles"] == [{"folder": "fast"}]
