"""Alignment in px of the full images, whatever the previews; thresholds that follow the size; features extracted once."""

from functools import partial

import numpy as np
import pytest
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import Raster
from tiepoint.io.stages import Stages
from tiepoint.registration import alignment
from tiepoint.registration.alignment import AlignSettings, View, align
from tiepoint.registration.preview import make_preview

WIDTH, HEIGHT = SIZE


def view(pixels: np.ndarray, **options: object) -> View:
    return View.of(Raster(pixels=pixels, source="a.tif", **options), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("views", [None, "rotation"])
def test_a_shift(views: str | None):
    found = align(make_matcher(views), view(dots()), view(dots(SHIFT)), AlignSettings(), Stages())
    assert found.estimate.kind == "similarity"
    assert found.estimate.matrix == pytest.approx(np.array([[1, 0, 9], [0, 1, 5], [0, 0, 1.0]]), abs=1e-6)
    assert found.rms_px == pytest.approx(0, abs=1e-6)
    values = found.to_dict()
    assert (values["model"], values["num_inliers"], values["reason"]) == (
        "similarity",
        len(found.matches),
        "",
    )


def test_the_matrix_holds_for_the_full_images(monkeypatch: pytest.MonkeyPatch):
    """The previews are half as large."""
    monkeypatch.setattr(alignment, "make_preview", partial(make_preview, max_side=WIDTH))
    large0, large1 = (np.kron(image, np.ones((2, 2, 1), np.uint8)) for image in (dots(), dots(SHIFT)))
    found = align(make_matcher(None), view(large0), view(large1), AlignSettings(), Stages())
    assert found.moving.preview.factor == 2
    assert found.estimate.matrix[:2, 2] == pytest.approx((18, 10), abs=1e-4)
    shown = found.preview_estimate()
    assert shown.matrix[:2, 2] == pytest.approx((9, 5), abs=1e-4)
    assert shown.max_error_px == found.estimate.max_error_px / 2


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
def test_a_given_model(model: str):
    settings = AlignSettings(model=model)  # type: ignore[arg-type]
    found = align(make_matcher(None), view(dots()), view(dots(SHIFT)), settings, Stages())
    assert found.estimate.kind == model


def test_no_matches_are_a_reason():
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    found = align(make_matcher(None), view(black), view(dots()), AlignSettings(), Stages())
    assert not found.estimate.success
    assert found.rms_px is None
    assert found.preview_estimate() is found.estimate
    assert "got 0 matches" in found.to_dict()["reason"]


def test_keypoints_are_only_where_there_is_data():
    opaque = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    opaque[:, : WIDTH // 2] = 0
    moving = view(np.concatenate([dots(), opaque], axis=2), has_alpha=True)
    assert moving.features(make_matcher(None)).keypoints[:, 0].min() >= WIDTH // 2


def test_features_are_extracted_once():
    fixed, matcher = view(dots(SHIFT)), make_matcher(None)
    assert fixed.features(matcher) is fixed.features(matcher)


@pytest.mark.parametrize(
    ("given", "side", "resize", "expected"),
    [(None, 640, 1024, 3.0), (None, 10_240, 1024, 15.0), (None, 9000, None, 3.0), (2.0, 9000, 1024, 2.0)],
)
def test_thresholds(given: float | None, side: int, resize: int | None, expected: float):
    fixed = Raster(pixels=np.zeros((10, side, 1), np.uint8), source="a.tif")
    assert AlignSettings(max_error_px=given).threshold(fixed, resize) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"model": "tps"}, "unknown model 'tps'"), ({"max_error_px": -1.0}, "positive number")],
)
def test_invalid_settings(options: dict, message: str):
    from tests.helpers.shape_checks import without_shape_checks

    with without_shape_checks(), pytest.raises(InvalidInput, match=message):
        AlignSettings(**options)
