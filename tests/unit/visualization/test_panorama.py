"""Panoramas: a canvas that holds both images whole, and no canvas at all where none can be."""

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import draw_panorama, warping


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def flat(value: int, width: int = 80, height: int = 60) -> Image:
    return read_image(np.full((height, width), value, np.uint8))


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pixels(*arguments, **options) -> np.ndarray:
    return np.asarray(draw_panorama(*arguments, **options)).astype(int)


@pytest.mark.parametrize(
    ("homography", "size"),
    [
        (shift(0, 0), (80, 60)),
        (shift(50, 0), (130, 60)),
        (shift(-50, 10), (130, 70)),
        (shift(100, -100), (180, 160)),
        (shift(0.25, 0), (81, 60)),
        (shift(-0.25, 0), (81, 60)),
        (np.array([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]), (160, 120)),
        (5e3 * shift(50, 0), (130, 60)),
    ],
    ids=["same", "right", "left and down", "apart", "a quarter", "a quarter back", "twice", "scaled"],
)
def test_the_canvas_holds_both_and_no_more(homography: np.ndarray, size: tuple[int, int]) -> None:
    assert draw_panorama(flat(10), flat(20), homography).size == size


def test_two_crops_become_the_whole_again() -> None:
    """The overlap is seen by both, so nothing may be mixed wrongly; everything is to be exact."""
    whole = noise(130, 80)
    left, right = whole[:70, :80], whole[10:, 50:]
    seen = pixels(read_image(left), read_image(right), shift(-50, -10))
    covered = np.zeros((80, 130), bool)
    covered[:70, :80] = covered[10:, 50:] = True
    np.testing.assert_array_equal(seen[covered], whole[covered])
    assert seen[~covered].max() == 0


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A scene that is known at every place: (h, w, 3) in [0, 1]."""
    return np.stack([0.5 + 0.4 * np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(3)], axis=2)


def test_a_photograph_in_perspective_falls_into_its_place() -> None:
    H = np.array([[1.05, 0.1, -66.0], [-0.04, 1.0, 8.0], [2e-4, 1e-4, 1.0]])
    y, x = np.mgrid[:100, :110]
    px, py, w = np.einsum("ij,jhw->ihw", H, np.stack((x, y, np.ones_like(x))))
    image0 = read_image(waves(px / w, py / w).astype(np.float32))
    y, x = np.mgrid[:120, :100]
    image1 = read_image(waves(x, y).astype(np.float32))

    seen = pixels(image0, image1, H) / 255
    y, x = np.mgrid[: seen.shape[0], : seen.shape[1]]
    expected = waves(x + 100 - seen.shape[1], y)  # image 0 reaches beyond image 1 on the left alone
    covered = seen.max(axis=2) > 0
    assert np.abs(seen - expected)[covered].mean() < 0.003
    assert np.abs(seen - expected)[covered].max() < 0.05
    assert 0.9 > covered.mean() > 0.7


def test_the_seam_is_soft_and_each_side_is_its_own() -> None:
    row = pixels(flat(50), flat(150), shift(-40, 0))[30, :, 0]
    assert (row[:41] == 50).all()
    assert (row[80:] == 150).all()
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 20
    assert row[60] == pytest.approx(100, abs=6)


def test_it_is_the_same_each_time_and_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (
        read_image(noise(80, 60)),
        read_image(noise(50, 70)),
        np.array([[1.1, 0.2, -8.0], [-0.1, 0.95, 12.0], [4e-4, -3e-4, 1.0]]),
    )
    first = pixels(*arguments)
    np.testing.assert_array_equal(pixels(*arguments), first)
    monkeypatch.setattr(warping, "MAX_CHUNK_PIXELS", 500)
    np.testing.assert_array_equal(pixels(*arguments), first)


@pytest.mark.parametrize(
    "homography",
    [
        np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]]),
        -np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]]),
    ],
    ids=["horizon at x = 50", "with the other sign"],
)
def test_a_horizon_within_image_0_is_an_error(homography: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="crosses the line at infinity"):
        draw_panorama(flat(1), flat(2), homography)


def test_a_canvas_beyond_reason_is_an_error_before_it_is_made() -> None:
    nearly = np.array(
        [[1.0, 0, 0], [0, 1, 0], [-1 / 79.501, 0, 1]]
    )  # the horizon is just off the right border
    with pytest.raises(InvalidInput, match=r"[\d,]+ x [\d,]+ px: the limit is 0.5 mega"):
        draw_panorama(flat(1), flat(2), nearly)
    with pytest.raises(
        InvalidInput, match=r"130 x 60 px: the limit is 0.0 megapixels .*max_megapixels = 0.005"
    ):
        draw_panorama(flat(1), flat(2), shift(50, 0), max_megapixels=0.005)


def test_a_homography_that_is_none_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="is singular"):
        draw_panorama(flat(1), flat(2), np.diag([1.0, 0, 1]))
