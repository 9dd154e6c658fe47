"""Warping: every pixel comes from where the homography says, to a fraction of a pixel, and against OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import warping
from tiepoint.visualization.warping import WarpedImage, checked_homography, row_chunks

WIDTH, HEIGHT = 120, 90
IDENTITY = np.eye(3)
PERSPECTIVE = np.array([[1.1, 0.2, -8.0], [-0.1, 0.95, 12.0], [4e-4, -3e-4, 1.0]])


def smooth(width: int = WIDTH, height: int = HEIGHT) -> Image:
    """Waves that bicubic interpolation follows closely."""
    y, x = np.mgrid[:height, :width]
    waves = [0.5 + 0.4 * np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(3)]
    return read_image(np.stack(waves, axis=2).astype(np.float32))


def warped(
    image: Image, homography: np.ndarray, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) in [0, 1] and (h, w), how far inside."""
    seen = WarpedImage(image, checked_homography(homography, image.image_size))
    colors, inside = seen.rows(0, size[1], size[0])
    return colors.permute(1, 2, 0).numpy(), inside.numpy()


def as_array(image: Image) -> np.ndarray:
    return image.pixels.permute(1, 2, 0).numpy()


def test_the_identity_changes_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    colors, inside = warped(read_image(noise), IDENTITY)
    np.testing.assert_array_equal(np.rint(colors * 255), noise)
    assert inside.min() > 0


@pytest.mark.parametrize("shift", [(7, 0), (-3, 11)], ids=str)
def test_a_whole_shift_moves_pixels(shift: tuple[int, int]) -> None:
    image = smooth()
    colors, inside = warped(image, np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]]))
    y, x = np.nonzero(inside)
    np.testing.assert_allclose(colors[y, x], as_array(image)[y - shift[1], x - shift[0]], atol=1e-4)
    assert (inside > 0).sum() == (WIDTH - abs(shift[0])) * (HEIGHT - abs(shift[1]))


def test_each_pixel_shows_where_the_homography_takes_it_from() -> None:
    """Against the waves' own formula: half a pixel off would be an error of 0.03."""
    colors, inside = warped(smooth(), PERSPECTIVE)
    v, u = np.nonzero(inside > 0.1)
    x, y, w = np.linalg.inv(PERSPECTIVE) @ np.stack((u, v, np.ones(len(u))))
    x, y = x / w, y / w
    for k in range(3):
        expected = 0.5 + 0.4 * np.sin(x / 9 + k) * np.cos(y / 7 - k)
        np.testing.assert_allclose(colors[v, u, k], expected, atol=4e-3)
    assert len(u) > 5000


def test_opencv_gives_the_same() -> None:
    image = smooth()
    expected = cv2.warpPerspective(as_array(image), PERSPECTIVE, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    colors, inside = warped(image, PERSPECTIVE)
    well_inside = inside > 0.1
    np.testing.assert_allclose(colors[well_inside], expected[well_inside], atol=5e-3)
    borders = cv2.warpPerspective(np.ones((HEIGHT, WIDTH), np.float32), PERSPECTIVE, (WIDTH, HEIGHT))
    assert ((inside > 0) != (borders > 0.5)).mean() < 0.01


def test_scale_and_sign_of_the_matrix_do_not_count() -> None:
    for factor in (-1.0, 1e-6, 1e6):
        for value, expected in zip(
            warped(smooth(), factor * PERSPECTIVE), warped(smooth(), PERSPECTIVE), strict=True
        ):
            np.testing.assert_allclose(value, expected, atol=1e-5)


def test_how_far_inside_falls_from_the_middle_to_the_border() -> None:
    _, inside = warped(smooth(), IDENTITY)
    assert inside[HEIGHT // 2, WIDTH // 2] > 0.98
    assert inside[0, WIDTH // 2] == pytest.approx(1 / HEIGHT)
    assert inside[HEIGHT // 2, -1] == pytest.approx(1 / WIDTH)


def test_what_shrinks_is_averaged_not_picked() -> None:
    """A checkerboard of single pixels, five times smaller, is gray; picking pixels would leave black and white."""
    y, x = np.mgrid[:100, :100]
    board = ((x + y) % 2 * 255).astype(np.uint8)
    colors, inside = warped(read_image(board), np.diag([0.2, 0.2, 1.0]), (30, 30))
    assert np.abs(colors[inside > 0] - 0.5).max() < 0.05


def test_what_shrinks_stays_in_its_place() -> None:
    image = smooth(400, 300)
    scale = np.array([[0.25, 0, -0.375], [0, 0.25, -0.375], [0, 0, 1]])  # x' = (x + 0.5) / 4 - 0.5
    colors, _ = warped(image, scale, (100, 75))
    expected = cv2.resize(as_array(image), (100, 75), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(colors, expected, atol=0.03)


def test_nothing_shows_from_behind_the_viewer() -> None:
    """The horizon of this homography crosses the target at x = 100; a plain warp shows the image there upside down."""
    from_target = np.array([[1.0, 0, 0], [0, 1, 0], [-1e-2, 0, 1]])
    _, inside = warped(smooth(), np.linalg.inv(from_target), (300, HEIGHT))
    assert (inside[:, :50] > 0).any()
    assert inside[:, 100:].max() == 0


def test_rows_fit_together() -> None:
    seen = WarpedImage(smooth(), PERSPECTIVE)
    whole, inside = seen.rows(0, HEIGHT, WIDTH)
    parts = [seen.rows(top, 30, WIDTH) for top in (0, 30, 60)]
    torch.testing.assert_close(torch.cat([colors for colors, _ in parts], dim=1), whole)
    torch.testing.assert_close(torch.cat([depth for _, depth in parts]), inside)


@pytest.mark.parametrize("size", [(10, 7), (3, 1), (1000, 5), (1, 50)], ids=str)
def test_strips_cover_every_row_once(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warping, "MAX_CHUNK_PIXELS", 20)
    rows = [row for top, count in row_chunks(size) for row in range(top, top + count)]
    assert rows == list(range(size[1]))
    assert all(count * size[0] <= 20 or count == 1 for _, count in row_chunks(size))


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.zeros((2, 3)), r"homography: expected a matrix of shape \(3, 3\)"),
        (np.full((3, 3), np.inf), "homography: found NaN, infinite"),
        (np.zeros((3, 3)), "only zeros"),
        (np.diag([1.0, 0, 1]), "is singular"),
        (np.outer([1.0, 2, 3], [1.0, 1, 1]), "is singular"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, -59.5]]), "is singular"),
    ],
    ids=["shape", "infinite", "zero", "flat", "rank 1", "center on the horizon"],
)
def test_what_is_no_homography_is_named(matrix: np.ndarray, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        checked_homography(matrix, (WIDTH, HEIGHT))
