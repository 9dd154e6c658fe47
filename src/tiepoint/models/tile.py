"""Where a tile lies in its image: what a network must know so that a part gives what the whole gives."""

from typing import NamedTuple

from torch import Tensor


class Tile(NamedTuple):
    """The part of an image that a network is shown.

    Attributes:
        left: of the part's first column in the image, in px.
        top: of the part's first row in the image, in px.
        image_size: (width, height) of the whole image, in px.
        core: (left, top, right, bottom) in px of the image, the last two exclusive: of all parts, this one is
            responsible for these pixels.
        context: what the network's `context_of` made of all parts.
    """

    left: int
    top: int
    image_size: tuple[int, int]
    core: tuple[int, int, int, int]
    context: Tensor | None = None

    @classmethod
    def whole(cls, images: Tensor) -> "Tile":
        """The window of a network that is shown everything: images (…, h, w)."""
        height, width = images.shape[-2:]
        return cls(0, 0, (width, height), (0, 0, width, height))
