"""Warping: exact where it can be, right between pixels, for any type and number of bands, and clear about bad input."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from tests.helpers.shape_checks import without_shape_checks

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Resampler, Tile, warp_array

IDENTITY = np.eye(3)
DTYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.float16, np.float32, np.float64)


def random_image(dtype: type, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1000, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth image, in closed form."""
    return 100 + 50 * np.sin(x / 9) + 40 * np.cos(y / 7 + x / 20)


def smooth_image(width: int, height: int) -> np.ndarray:
    return smooth(*np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bands", [None, 1, 3, 7])
def test_the_identity_changes_nothing(dtype: type, bands: int | None):
    image = random_image(dtype, (37, 53) if bands is None else (37, 53, bands))
    warped = warp_array(image, IDENTITY, (53, 37))
    assert warped.pixels.dtype == dtype
    assert np.array_equal(warped.pixels, image)
    assert warped.is_inside.all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_a_rotation_by_90_degrees_permutes_pixels(dtype: type, interpolation: str):
    image = random_image(dtype, (20, 30, 2))
    rotation = np.array([[0, -1, 19.0], [1, 0, 0], [0, 0, 1]])  # (x, y) -> (19 - y, x)
    warped = warp_array(image, rotation, (20, 30), interpolation=interpolation)  # type: ignore[arg-type]
    assert warped.is_inside.all()
    assert np.array_equal(warped.pixels, np.rot90(image, -1))


@settings(max_examples=25)
@given(dx=st.integers(-70, 70), dy=st.integers(-50, 50))
def test_integer_shifts_copy(dx: int, dy: int):
    image = random_image(np.uint16, (40, 60))
    shift = np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])
    warped = warp_array(image, shift, (60, 40))
    padded = np.pad(image, 80)[80 - dy :, 80 - dx :][:40, :60]
    inside = np.pad(np.ones_like(image, dtype=bool), 80)[80 - dy :, 80 - dx :][:40, :60]
    assert np.array_equal(warped.pixels, padded)
    assert np.array_equal(warped.is_inside, inside)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_values_are_those_of_the_warped_positions(seed: int):
    """Against the image in closed form, for any homography that does not shrink."""
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(1, 2)
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    H = np.eye(3)
    H[:2, :2], H[:2, 2], H[2, :2] = rotation, rng.uniform(-20, 60, 2), rng.uniform(-2e-4, 2e-4, 2)
    image = smooth_image(120, 90)
    warped = warp_array(image, H, (100, 80), interpolation="cubic")
    x, y = np.meshgrid(np.arange(100.0), np.arange(80.0))
    u, v, w = np.einsum("ij,jhw->ihw", np.linalg.inv(H), np.stack([x, y, np.ones_like(x)]))
    u, v = u / w, v / w
    away = warped.is_inside & (u > 2) & (u < 117) & (v > 2) & (v < 87)
    assert np.abs(warped.pixels - smooth(u, v))[away].max(initial=0) < 1.0
    assert np.array_equal(warped.is_inside, (u >= -0.5) & (u <= 119.5) & (v >= -0.5) & (v <= 89.5) & (w > 0))
    assert not warped.pixels[~warped.is_inside].any()


def test_finer_images_are_averaged():
    """A checkerboard of single pixels becomes gray, not one of its colors."""
    image = (np.indices((400, 400)).sum(axis=0) % 2 * 200).astype(np.uint8)
    warped = warp_array(image, np.diag([0.125, 0.125, 1.0]), (48, 48))
    inner = warped.pixels[2:-2, 2:-2].astype(float)
    assert np.abs(inner - 100).max() < 15
    assert set(
        np.unique(warp_array(image, np.diag([0.125, 0.125, 1.0]), (48, 48), interpolation="nearest").pixels)
    ) <= {0, 200}


def test_missing_data_stays_missing():
    image = smooth_image(60, 40)
    image[10:20, 15:25] = np.nan
    shifted = warp_array(image, np.array([[1.0, 0, 0.5], [0, 1, 0.25], [0, 0, 1]]), (60, 40))
    assert np.isfinite(shifted.pixels).all()
    assert not shifted.is_inside[11:20, 16:25].any()
    assert shifted.is_inside[22:38, 2:58].all()
    valid = np.ones((40, 60), dtype=bool)
    valid[10:20, 15:25] = False
    resampler = Resampler(np.nan_to_num(image)[..., None], IDENTITY, is_valid=valid)
    assert np.array_equal(resampler.warp(Tile(0, 0, 60, 40)).is_inside, valid)


def test_tiles_are_parts_of_the_whole():
    image = random_image(np.uint16, (90, 120, 3))
    H = np.array([[0.9, 0.2, 5], [-0.1, 1.1, 3], [1e-4, 2e-4, 1]])
    whole = warp_array(image, H, (130, 100))
    for tile, pixels, is_inside in Resampler(image, H).tiles((130, 100), side=33):
        assert np.array_equal(whole.is_inside[tile.slices], is_inside)
        assert np.abs(whole.pixels[tile.slices].astype(int) - pixels).max() <= 1


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 3)), "infinity"),
        (np.diag([1.0, 0.0, 1.0]), "singular"),
        (np.full((3, 3), np.nan), "finite matrix"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [-0.05, 0, 1]]), "crosses the horizon"),
    ],
)
def test_homographies_that_cannot_warp(matrix: np.ndarray, message: str):
    with pytest.raises(InvalidInput, match=message):
        warp_array(np.zeros((40, 60)), matrix, (60, 40))


def test_bad_arguments():
    with pytest.raises(InvalidInput, match=r"real numbers of shape \(h, w, c\)"):
        Resampler(np.zeros((4, 4, 1), dtype=complex), IDENTITY)
    expected = "unknown interpolation 'lanczos'; available: nearest, linear, cubic"
    with without_shape_checks(), pytest.raises(InvalidInput, match=expected):
        Resampler(np.zeros((4, 4, 1)), IDENTITY, "lanczos")  # type: ignore[arg-type]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_sign_of_a_homography_does_not_matter(sign: float):
    image = random_image(np.uint8, (20, 30))
    H = np.array([[1.0, 0.1, 2], [0, 1, 1], [1e-3, 0, 1]])
    assert np.array_equal(warp_array(image, sign * H, (30, 20)).pixels, warp_array(image, H, (30, 20)).pixels)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("shift", [(0.5, 0.0), (0.5, 0.5), (0.3, -0.2)])
def test_pixels_next_to_missing_ones_are_not_mixed_with_them(interpolation: str, shift: tuple[float, float]):
    image = np.full((30, 40), 3000.0, np.float32)
    image[12:15, 20] = np.nan
    matrix = np.array([[1.0, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    warped = warp_array(image, matrix, (40, 30), interpolation=interpolation)  # type: ignore[arg-type]
    assert np.allclose(warped.pixels[warped.is_inside], 3000, rtol=1e-6)
    assert 0 < (~warped.is_inside[2:-2, 2:-2]).sum() <= 12


def test_parts_of_the_image_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """A tile of a coarse target would show all of the image: it is split."""
    image = smooth_image(600, 450)
    scaled = np.diag([0.05, 0.05, 1.0])
    whole = warp_array(image, scaled, (30, 22))
    monkeypatch.setattr("tiepoint.image.resampling.MAX_PART_SIDE", 64)
    resampler = Resampler(image[..., None], scaled)
    sizes = []
    read = resampler._read_part
    monkeypatch.setattr(resampler, "_read_part", lambda tile, scale: sizes.append(tile) or read(tile, scale))
    found = resampler.warp(Tile(0, 0, 30, 22))
    assert max(max(tile.width, tile.height) for tile in sizes) <= 4
    assert np.abs(found.pixels[..., 0] - whole.pixels).max() < 1e-9
    assert np.array_equal(found.is_inside, whole.is_inside)
