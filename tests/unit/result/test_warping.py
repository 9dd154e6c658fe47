"""result.warp: image 0 on the grid of image 1, at its own depth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.match_results import HOMOGRAPHY, SIZE0, SIZE1, an_estimate

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import warp_array
from tiepoint.result import MatchResult


def pixels(bands: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60_000, (SIZE0[1], SIZE0[0], bands)).astype(np.uint16)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_type_and_bands_are_kept(result: MatchResult, interpolation) -> None:
    estimate = an_estimate([True] * 3, "homography", HOMOGRAPHY)
    warped = result.warp(estimate, pixels(), interpolation=interpolation)
    assert (warped.pixels.shape, warped.pixels.dtype) == ((SIZE1[1], SIZE1[0], 5), np.uint16)
    expected = warp_array(pixels(), HOMOGRAPHY, SIZE1, interpolation=interpolation)
    assert np.array_equal(warped.pixels, expected.pixels)
    assert np.array_equal(warped.is_inside, expected.is_inside)
    assert result.warp(estimate, pixels()[..., 0]).pixels.shape == (SIZE1[1], SIZE1[0])


def test_files_are_read_at_full_depth(result: MatchResult, tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    PIL.Image.fromarray(pixels()[..., 0]).save(path)
    from_source = replace(result, features0=replace(result.features0, source=str(path)))
    warped = from_source.warp(an_estimate([True] * 3, "homography", HOMOGRAPHY))
    assert warped.pixels.dtype == np.uint16
    assert np.array_equal(warped.pixels[..., 0], warp_array(pixels()[..., 0], HOMOGRAPHY, SIZE1).pixels)


def test_bad_input_is_named(result: MatchResult) -> None:
    estimate = an_estimate([True] * 3, "homography", HOMOGRAPHY)
    with pytest.raises(InvalidInput, match=r"matched from memory.*result\.warp\(estimate, image0\)"):
        result.warp(estimate)
    with pytest.raises(InvalidInput, match="image 0: expected the matched image of"):
        result.warp(estimate, pixels()[1:])
    with pytest.raises(InvalidInput, match="expected a homography estimate, got 'fundamental'"):
        result.warp(an_estimate([True] * 3, "fundamental", np.eye(3)), pixels())
    horizon = an_estimate([True] * 3, "homography", np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 1.0]]))
    with pytest.raises(InvalidInput, match="infinity"):
        result.warp(horizon, pixels())
