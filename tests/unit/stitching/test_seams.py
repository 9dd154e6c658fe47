"""Seams divide the overlap, and gains make images equally bright."""

import numpy as np
import pytest
from benchmarks.panorama.scenes import Scene, rotation, shoot
from tests.helpers.stitch_pairs import homography_pair, inputs_for

from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import make_canvas
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.seams import MAX_BLOCKS, MIN_BLOCK, Shares, block_side, find_shares
from tiepoint.stitching.views import PlanarView, RotatedView

SIZE = (640, 480)


def shifted(*shifts: float, size: tuple[int, int] = SIZE) -> list[PlanarView]:
    return [
        PlanarView(image_size=size, surface_from_image=np.array([[1.0, 0, x], [0, 1, 0], [0, 0, 1]]))
        for x in shifts
    ]


def an_input(index: int, thumbnail: np.ndarray, size: tuple[int, int] = SIZE) -> StitchInput:
    features = inputs_for([homography_pair(np.eye(3))])[0].features
    return StitchInput(
        index=index,
        name="",
        image_size=size,
        features=features,
        thumbnail=thumbnail.astype(np.uint8),
        is_gray=False,
    )


@pytest.fixture
def inputs(scene: Scene) -> list[StitchInput]:
    """Two images, 400 px apart, with thumbnails of half their size."""
    return [
        an_input(index, scene.pixels[200:680:2, x : x + 640 : 2] * brightness)
        for index, (x, brightness) in enumerate(((0, 1.0), (400, 0.7)))
    ]


def test_shares(inputs: list[StitchInput]) -> None:
    views = shifted(0, 400)
    canvas = make_canvas(views, 10)
    shares = find_shares(inputs, views, canvas, exposure=True)
    whole = Tile(0, 0, canvas.width, canvas.height)
    masks = [shares.mask(index, whole) > 0 for index in (0, 1)]
    assert (masks[0] | masks[1])[2:-2, 2:-2].all()
    assert masks[0][2:-2, 2:390].all()
    assert masks[1][2:-2, 650:-2].all()
    assert (masks[0] & masks[1]).mean() < 0.05
    gains = [np.asarray(shares.gains(index, whole)) for index in (0, 1)]
    overlap = (slice(None), slice(420, 620))
    assert 1.2 < (gains[1][overlap] / gains[0][overlap]).mean() < 1.6


def test_seams_have_the_resolution_of_thumbnails_if_the_panorama_is_reduced(
    inputs: list[StitchInput],
) -> None:
    views = shifted(0, 400)
    full = find_shares(inputs, views, make_canvas(views, 10), exposure=True)
    canvas = make_canvas(views, 0.25)
    assert canvas.scale == pytest.approx(0.708, abs=0.01)
    reduced = find_shares(inputs, views, canvas, exposure=True)
    assert reduced.reduced.scale == pytest.approx(full.reduced.scale, rel=0.01)
    assert reduced.factor == pytest.approx(0.5 / canvas.scale)
    smaller = make_canvas(views, 0.05)
    assert find_shares(inputs, views, smaller, exposure=True).factor == 1
    mask = reduced.mask(0, Tile(0, 0, canvas.width, canvas.height)) > 0
    expected = full.mask(0, Tile(0, 0, 1040, 480)) > 0
    assert abs(mask.mean() - expected.mean()) < 0.02


def test_a_large_canvas_of_small_images_is_reduced(scene: Scene) -> None:
    small = [an_input(index, scene.pixels[:96, :128], (128, 96)) for index in (0, 1)]
    large = an_input(2, scene.pixels[:320, :400], (1600, 1280))
    views = [*shifted(200, 280, size=(128, 96)), *shifted(0, size=(1600, 1280))]
    shares = find_shares([*small, large], views, make_canvas(views, 10), exposure=False)
    assert shares.reduced.width * shares.reduced.height == pytest.approx(0.3e6, rel=0.02)


@pytest.mark.parametrize("count", [2, 30, 300, 5000])
def test_the_number_of_blocks_is_limited(count: int) -> None:
    sizes = [(365, 274)] * count
    side = block_side(sizes)
    assert sum(-(-w // side) * -(-h // side) for w, h in sizes) <= max(MAX_BLOCKS, count)
    assert (side == MIN_BLOCK) == (count == 2)


@pytest.fixture(scope="module")
def circle(scene: Scene) -> Shares:
    """A full circle of 9 small views on a sphere, one of them darker, and one over the zenith."""
    angles = [*((40 * number + 5, 0) for number in range(9)), (0, 80)]
    views = [
        RotatedView(image_size=(160, 120), focal_px=150.0, world_from_cam=rotation(*each)) for each in angles
    ]
    exposures = [0.7 if number == 4 else 1.0 for number in range(10)]
    thumbnails = [
        shoot(scene, view.world_from_cam, size=(160, 120), focal_px=150.0, exposure=exposure).pixels
        for view, exposure in zip(views, exposures, strict=True)
    ]
    inputs = [an_input(index, pixels, (160, 120)) for index, pixels in enumerate(thumbnails)]
    return find_shares(inputs, views, make_canvas(views, 10), exposure=True)


def test_shares_of_a_full_circle_leave_no_gap_at_its_ends(circle: Shares) -> None:
    width = circle.canvas.width
    tile = Tile(-40, circle.canvas.height - 90, width + 80, 40)  # in the middle of the row of views
    masks = np.stack([circle.mask(index, tile) > 0 for index in range(10)])
    assert masks.any(axis=0).all()
    assert masks.sum(axis=0).mean() < 1.3
    np.testing.assert_array_equal(masks[:, :, :80], masks[:, :, -80:])
    top = Tile(-40, 0, width + 80, 10)
    zenith = circle.mask(9, top) > 0
    assert zenith[:, 30:50].all()


def test_gains_of_a_full_circle_continue_across_its_ends(circle: Shares) -> None:
    """The dark view is at 165 degrees, next to the end; its neighbor at -155 is across it."""
    width = circle.canvas.width
    gains = {
        index: np.asarray(circle.gains(index, Tile(width - 40, circle.canvas.height - 90, 80, 40)))
        for index in (4, 5, 9)
    }
    assert 1.15 < (gains[4] / gains[5]).mean() < 1.7
    for values in gains.values():
        assert np.abs(np.diff(values, axis=1)).max() < 0.05
