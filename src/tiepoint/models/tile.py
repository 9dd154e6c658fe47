"""Position of a tile in its image: what a network needs for results identical to those of the whole image."""

from typing import Any, NamedTuple

from torch import Tensor


class Tile(NamedTuple):
    """A crop of a larger image, as input of a network.

    Attributes:
        left: Column of the image at which the crop starts, in px.
        top: Row of the image at which the crop starts, in px.
        image_size: Size (width, height) of the whole image in px.
        core: Box (left, top, right, bottom) in px of the image, right and bottom exclusive; the cores of all tiles
            partition the image.
        context: Result of the network's `global_context` for all tiles.
    """

    left: int
    top: int
    image_size: tuple[int, int]
    core: tuple[int, int, int, int]
    context: Any = None

    @classmethod
    def whole(cls, images: Tensor) -> "Tile":
        """Return the tile that covers whole images of shape (…, h, w)."""
        height, width = images.shape[-2:]
        return cls(0, 0, (width, height), (0, 0, width, height))
