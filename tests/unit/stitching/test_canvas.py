"""Canvases hold all views, and warps are exact to a fraction of a pixel."""

import numpy as np
import pytest
from benchmarks.panorama.scenes import Shot, rotation

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import Canvas, make_canvas, natural_scale, warp
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


def circle(size: tuple[int, int] = SIZE, projection: str = "sphere") -> list[RotatedView]:
    return [
        RotatedView(
            image_size=size, focal_px=300.0, world_from_cam=rotation(yaw, 1, 2), projection=projection
        )
        for yaw in range(-170, 190, 40)
    ]


class TestFullCircle:
    """The last column continues at the first one."""

    def test_it_has_an_integer_number_of_columns(self) -> None:
        canvas = make_canvas(circle(), 10)
        assert canvas.width == canvas.period == 1888  # 2 pi 300 = 1885, a multiple of 32
        assert canvas.scale * 2 * np.pi == pytest.approx(1888)
        reduced = canvas.reduced(0.3)
        assert reduced.width == reduced.period == 566
        assert reduced.scale / canvas.scale == pytest.approx(566 / 1888)

    def test_the_limit_of_its_size_holds(self) -> None:
        canvas = make_canvas(circle(), 0.2)
        assert canvas.period == canvas.width
        assert canvas.width % 32 == 0
        assert 0.17 < canvas.width * canvas.height / 1e6 <= 0.2

    def test_views_across_its_ends_are_one_rectangle(self) -> None:
        views = circle()
        canvas = make_canvas(views, 10)
        rois = [canvas.roi(view) for view in views]
        assert all(0 <= roi.left < 1888 and roi.width < 400 for roi in rois)
        assert rois[0].left + rois[0].width > 1888  # -170 degrees
        assert canvas.shifts(rois[0], rois[8]) == [0]
        assert canvas.shifts(rois[0], rois[1]) == [1888]
        assert canvas.shifts(rois[1], rois[0]) == [-1888]
        assert canvas.shifts(rois[0], rois[4]) == []
        assert canvas.shifts(rois[0], Tile(-20, 100, 1928, 9)) == [0, 1888]

    def test_warps_continue_across_its_ends(self, row: list[Shot]) -> None:
        views = circle()
        canvas = make_canvas(views, 10)
        colors, mask = warp(views[0], canvas, Tile(1888 - 100, 0, 200, canvas.height), row[0].pixels)
        for columns, left in ((slice(0, 100), 1788), (slice(100, 200), 0)):
            own, shown = warp(views[0], canvas, Tile(left, 0, 100, canvas.height), row[0].pixels)
            assert (mask[:, columns] != shown).mean() < 0.001  # maps are interpolated on another grid
            both = (mask[:, columns] > 0) & (shown > 0)
            assert np.abs(colors[:, columns].astype(int) - own)[both].mean() < 0.5

    def test_points_map_to_the_first_period(self) -> None:
        canvas = make_canvas(circle(), 10)
        points = np.array([[-np.pi, 0], [np.pi, 0], [np.pi + 0.01, 0], [0, 0]])
        x = canvas.to_px(points)[:, 0]
        assert x == pytest.approx([0, 0, 0.01 * canvas.scale, 944], abs=1e-6)


def test_the_scale_is_that_of_most_of_the_surface() -> None:
    wide = RotatedView(image_size=SIZE, focal_px=300.0, world_from_cam=np.eye(3))
    tele = [RotatedView(image_size=SIZE, focal_px=1500.0, world_from_cam=rotation(yaw)) for yaw in (-5, 0, 5)]
    assert natural_scale([*tele, wide]) == 300
    assert natural_scale([wide, wide, wide]) == 300
    assert (
        natural_scale(
            [planar([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), planar([[1.1, 0, 9], [0, 1.1, 0], [0, 0, 1]])]
        )
        == 1
    )
    coarse = planar([[4, 0, 9], [0, 4, 0], [0, 0, 1]])
    assert natural_scale([planar([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), coarse]) == pytest.approx(0.25)


def test_strongly_reduced_images_are_averaged() -> None:
    """A pattern of single columns, reduced by 5, is gray; interpolation alone would alias."""
    stripes = np.zeros((240, 320, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    view = planar([[0.2, 0, 0], [0, 0.2, 0], [0, 0, 1]])
    canvas = Canvas(scale=1.0, left=0, top=0, width=64, height=48)
    colors, mask = warp(view, canvas, Tile(0, 0, 64, 48), stripes)
    assert (mask > 0).mean() > 0.9
    assert np.abs(colors[2:-2, 2:-2].astype(int) - 127).max() < 30


def test_transparent_pixels_are_not_shown(row: list[Shot]) -> None:
    view = planar([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    canvas = make_canvas([view], 10)
    opacity = np.full((*row[0].pixels.shape[:2], 1), 255, dtype=np.uint8)
    opacity[:, :100] = 0
    colors, mask = warp(view, canvas, canvas.roi(view), np.concatenate([row[0].pixels, opacity], axis=2))
    assert not mask[:, :100].any()
    assert (mask[:, 100:] == 255).all()
    np.testing.assert_array_equal(colors, row[0].pixels)
