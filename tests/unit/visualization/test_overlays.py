"""Overlays: image 0 lies where the homography puts it, mixed or in squares; elsewhere image 1 is as it was."""

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import draw_overlay, warping

HALF = np.array([[1.0, 0, 40], [0, 1, 0], [0, 0, 1]])
"""Moves image 0 to the right half of an image 80 px wide."""


def flat(value: int, width: int = 80, height: int = 60) -> Image:
    return read_image(np.full((height, width), value, np.uint8))


def pixels(*arguments, **options) -> np.ndarray:
    return np.asarray(draw_overlay(*arguments, **options)).astype(int)


def noise(width: int = 80, height: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_a_blend_mixes_by_alpha(alpha: float) -> None:
    seen = pixels(flat(200), flat(100), HALF, alpha=alpha)
    assert (seen[:, 40:] == round(100 + 100 * alpha)).all()
    assert (seen[:, :40] == 100).all()


def test_the_picture_has_the_size_of_image_1() -> None:
    assert draw_overlay(flat(0, 30, 20), flat(0, 50, 70), np.eye(3)).size == (50, 70)


def test_a_checkerboard_shows_both_in_turn() -> None:
    seen = pixels(flat(200), flat(100), np.eye(3), mode="checkerboard", tiles=4)  # squares of 20 px
    for row in range(3):
        for column in range(4):
            tile = seen[20 * row : 20 * row + 20, 20 * column : 20 * column + 20]
            assert (tile == (100 if (row + column) % 2 else 200)).all()


def test_where_image_0_does_not_reach_a_checkerboard_shows_image_1() -> None:
    seen = pixels(flat(200), flat(100), HALF, mode="checkerboard", tiles=8)
    assert (seen[:, :40] == 100).all()
    assert set(np.unique(seen[:, 40:])) == {100, 200}


@pytest.mark.parametrize("mode", ["blend", "checkerboard"])
def test_an_image_upon_itself_is_itself(mode: str) -> None:
    image = noise()
    np.testing.assert_array_equal(pixels(read_image(image), read_image(image), np.eye(3), mode=mode), image)


def test_squares_and_colors_run_on_from_strip_to_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    images = read_image(noise()), flat(100)
    expected = {mode: pixels(*images, HALF, mode=mode) for mode in ("blend", "checkerboard")}
    monkeypatch.setattr(warping, "MAX_CHUNK_PIXELS", 7 * 80)
    for mode, picture in expected.items():
        np.testing.assert_array_equal(pixels(*images, HALF, mode=mode), picture)


def test_an_image_beyond_the_horizon_is_shown_as_far_as_it_goes() -> None:
    tilted = np.array(
        [[1.0, 0, 0], [0, 1, 0], [0.02, 0, 1]]
    )  # the right half of image 0 shrinks toward x = 50
    assert draw_overlay(flat(200), flat(100), np.linalg.inv(tilted)).size == (80, 60)


def test_image_1_stays_as_it_was() -> None:
    image = flat(100)
    draw_overlay(flat(200), image, np.eye(3))
    assert (image.pixels == 100).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "mix"}, "mode: expected 'blend' or 'checkerboard', got 'mix'"),
        ({"alpha": 1.5}, "alpha: expected a number from 0 to 1, got 1.5"),
        ({"alpha": float("nan")}, "alpha: expected a number from 0 to 1, got nan"),
        ({"mode": "checkerboard", "tiles": 0}, "tiles: expected .*got 0"),
    ],
    ids=str,
)
def test_wrong_options_are_named(options: dict, text: str) -> None:
    from tiepoint.visualization.overlays import _opacity_of_image0

    given = {"mode": "blend", "alpha": 0.5, "tiles": 8, **options}
    with pytest.raises(InvalidInput, match=text):
        _opacity_of_image0(**given, size=(80, 60))
