"""Networks that describe given keypoints."""

from collections.abc import Iterable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.models.tile import Tile


class Descriptor(nn.Module):
    """Base class of networks that describe given keypoints; most detectors do, too.

    Attributes:
        bytes_per_pixel: Peak memory per image pixel in bytes, measured with the published network.
    """

    bytes_per_pixel: int

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        raise NotImplementedError

    def feature_maps(self, images: Float[Tensor, "b c h w"], tile: Tile | None = None) -> list[Any]:
        """Compute the dense features of each image.

        Args:
            images: Images in [0, 1], shape (b, c, h, w).
            tile: Position of the images in a larger image; None if they are whole images.
        """
        raise NotImplementedError

    def describe_at(
        self, features: Any, keypoints: Float[Tensor, "n 2"], shape: tuple[int, int]
    ) -> Float[Tensor, "n d"]:
        """Describe an image at given keypoints; at a detector's own, these are its own descriptors.

        Args:
            features: Dense features of the whole image, from `feature_maps` or a detector's `dense_maps`.
            keypoints: Positions (x, y) in px inside the image, shape (n, 2).
            shape: Shape (height, width) of the image.

        Returns:
            Descriptors, shape (n, d); of unit length, but for LoMa's.
        """
        raise NotImplementedError

    def global_context(self, parts: Iterable[tuple[Float[Tensor, "1 c h w"], Tile]]) -> Any:
        """Return what each tile needs to know about the whole image; None if tiles are independent.

        Args:
            parts: Image crops, shape (1, c, h, w), and positions of all tiles; can be iterated over several times.
        """
        return None
