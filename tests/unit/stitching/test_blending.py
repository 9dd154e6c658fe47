"""Tiles fit together, and gaps of seams are filled."""

import numpy as np
import pytest

from tiepoint.image.resampling import Tile
from tiepoint.io.progress import no_progress
from tiepoint.stitching import blending
from tiepoint.stitching.canvas import make_canvas
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.seams import find_shares
from tiepoint.stitching.views import PlanarView
from tiepoint.types import Features

SIZE = (300, 200)


def shifted(x: float, y: float) -> PlanarView:
    return PlanarView(image_size=SIZE, surface_from_image=np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]))


def inputs_of(images: list[np.ndarray]) -> list[StitchInput]:
    nothing = Features.__new__(Features)
    return [
        StitchInput(
            index=number,
            name=str(number),
            image_size=SIZE,
            features=nothing,
            thumbnail=np.ascontiguousarray(image[::2, ::2]),
            is_gray=False,
        )
        for number, image in enumerate(images)
    ]


@pytest.fixture
def images(scene) -> list[np.ndarray]:
    large = scene.pixels[250:550, 300:800]
    return [np.ascontiguousarray(large[y : y + 200, x : x + 300]) for x, y in ((0, 0), (200, 40), (100, 100))]


VIEWS = [shifted(0, 0), shifted(200, 40), shifted(100, 100)]


def test_aligned_images_are_copied(images: list[np.ndarray], scene) -> None:
    canvas = make_canvas(VIEWS, 10.0)
    assert (canvas.width, canvas.height, canvas.scale) == (500, 300, 1.0)
    shares = find_shares(inputs_of(images), VIEWS, canvas, exposure=False)
    found = blending.compose(VIEWS, shares, images.__getitem__, no_progress)
    opaque = found[..., 3] > 0
    assert opaque[:200, :300].all()
    assert not opaque[:39, 301:].any()
    assert not found[~opaque].any()
    difference = found[..., :3].astype(int) - scene.pixels[250:550, 300:800]
    assert np.abs(difference[opaque]).max() <= 2


def test_tiles_fit_together(images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    bright = [images[0], (images[1] * 0.7).astype(np.uint8), images[2]]
    canvas = make_canvas(VIEWS, 10.0)
    shares = find_shares(inputs_of(bright), VIEWS, canvas, exposure=False)
    whole = blending.compose(VIEWS, shares, bright.__getitem__, no_progress)
    monkeypatch.setattr(blending, "MARGIN", 128)
    tiled = blending.compose(VIEWS, shares, bright.__getitem__, no_progress, tile_side=128)
    np.testing.assert_array_equal(tiled[..., 3], whole[..., 3])
    difference = np.abs(tiled[..., :3].astype(int) - whole[..., :3])
    assert difference.max() <= 3
    assert difference.mean() < 0.05


def test_gaps_of_seams_are_filled(images: list[np.ndarray]) -> None:
    canvas = make_canvas(VIEWS, 10.0)
    shares = find_shares(inputs_of(images), VIEWS, canvas, exposure=False)
    for share in shares.items:
        share.mask[: share.mask.shape[0] // 2] = 0
    found = blending.compose(VIEWS, shares, images.__getitem__, no_progress)
    assert (found[:200, :300, 3] > 0).all()


def test_images_that_a_tile_does_not_show_are_not_read(images: list[np.ndarray]) -> None:
    canvas = make_canvas(VIEWS, 10.0)
    shares = find_shares(inputs_of(images), VIEWS, canvas, exposure=False)
    shares.items[2].mask[:] = 0
    read: list[int] = []

    def read_pixels(number: int) -> np.ndarray:
        read.append(number)
        return images[number]

    found = blending.compose(VIEWS, shares, read_pixels, no_progress)
    assert (found[100:300, 100:400, 3] > 0).all()
    assert read == [0, 1, 2]  # the last one fills the gap where it alone knows the pixels
    shares.items[0].mask[:] = 255
    shares.items[1].mask[:] = 255
    read.clear()
    one = Tile(0, 0, 90, 90)
    layers = blending._layers(VIEWS, shares, [0, 1, 2], one, read_pixels)
    assert (len(layers), read) == (1, [0])
