"""Canvases hold all views, and warps are exact to a fraction of a pixel."""

import numpy as np
import pytest
from benchmarks.panorama.scenes import Shot, rotation

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import make_canvas, warp
from tiepoint.stitching.views import PlanarView, RotatedView

SIZE = (320, 240)


def planar(H: list) -> PlanarView:
    return PlanarView(image_size=SIZE, surface_from_image=np.array(H, dtype=float))


def test_the_identity_copies_pixels(row: list[Shot]) -> None:
    view = planar([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    canvas = make_canvas([view], 10)
    assert (canvas.width, canvas.height) == SIZE
    colors, mask = warp(view, canvas, canvas.roi(view), row[0].pixels)
    np.testing.assert_array_equal(colors, row[0].pixels)
    assert (mask == 255).all()


def test_large_canvases_are_reduced() -> None:
    canvas = make_canvas([planar([[1, 0, 0], [0, 1, 0], [0, 0, 1]])], 320 * 240 / 4e6)
    assert (canvas.width, canvas.height, canvas.scale) == (160, 120, 0.5)
    assert canvas.reduced(0.5).width == 80


def test_interpolated_warps_are_exact(row: list[Shot]) -> None:
    view = RotatedView(
        image_size=SIZE, focal_px=300.0, world_from_cam=rotation(30, 10, 5), projection="sphere"
    )
    canvas = make_canvas([view], 10)
    x, y = np.meshgrid(np.arange(320, dtype=np.uint8), np.arange(240, dtype=np.uint8))
    coordinates = np.dstack([x, y, y])
    tile = Tile(50, 60, 40, 30)
    colors, mask = warp(view, canvas, tile, coordinates)
    u, v = np.meshgrid(np.arange(50, 90) + canvas.left, np.arange(60, 90) + canvas.top)
    expected = view.to_image(np.dstack([u, v]) / canvas.scale)
    assert mask.any()
    np.testing.assert_allclose(colors[..., :2], expected, atol=0.75)


def test_implausible_canvases_are_refused() -> None:
    with pytest.raises(InvalidInput, match="times as many as the images"):
        make_canvas([planar([[20, 0, 0], [0, 20, 0], [0, 0, 1]])], 1000)
    with pytest.raises(InvalidInput, match="horizon"):
        make_canvas([planar([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]])], 1000)
