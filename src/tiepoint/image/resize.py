"""ImageTransform: the only place where pixels and coordinates are scaled."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.image import Image

MAX_RESIZE = 32_768
"""The longest side, in px, that an image may be resized to."""

PIXELS_AT_A_TIME = 1 << 22  # turned to floating point while an image is resized: 48 MB


@dataclass(frozen=True, slots=True)
class ImageTransform:
    """A resize from one image size to another: the only place where pixels and coordinates are scaled.

    The center of the top-left pixel is (0, 0), so x' = (x + 0.5) s - 0.5, with s = resized / original
    side of each axis: sizes are whole numbers, so the two scales differ a little.

    Attributes:
        original_size: (width, height) in px.
        resized_size: (width, height) in px.

    Raises:
        InvalidInput: a side is not a whole number above 0.
    """

    original_size: tuple[int, int]
    resized_size: tuple[int, int]

    def __post_init__(self) -> None:
        _check_size(self.original_size)
        _check_size(self.resized_size)

    @classmethod
    def fit(cls, image_size: tuple[int, int], resize: int | None) -> "ImageTransform":
        """The resize that makes the longer side `resize` px, up or down; no side gets shorter than 1 px.

        Args:
            image_size: (width, height) in px.
            resize: longer side in px, 1 to 32,768; None leaves the image as it is.

        Raises:
            InvalidInput: `resize` or a side of the image is not such a whole number.
        """
        _check_size(image_size)
        if resize is None:
            return cls(image_size, image_size)
        if not isinstance(resize, int) or not 1 <= resize <= MAX_RESIZE:
            raise InvalidInput(
                f"resize must be the longer side in px, 1 to {MAX_RESIZE:,}, or None for the image as it is, "
                f"but is {resize!r}"
            )
        longer = max(image_size)
        width, height = ((2 * side * resize + longer) // (2 * longer) for side in image_size)  # rounded
        return cls(image_size, (max(width, 1), max(height, 1)))

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y): px of the resized image that one px of the original becomes."""
        (width, height), (new_width, new_height) = self.original_size, self.resized_size
        return new_width / width, new_height / height

    def apply(self, image: Image) -> Float32[Tensor, "3 h w"]:
        """Resize an image: bilinear, with a triangle filter as wide as the scale against aliasing.

        Returns:
            RGB in [0, 1], in memory of its own, on the device of the image.

        Raises:
            InvalidInput: the image is not of `original_size`.
        """
        if image.image_size != self.original_size:
            raise InvalidInput(
                f"this transform is for images of {self.original_size} px (width, height), but got one of "
                f"{image.image_size}; make one with ImageTransform.fit(image.image_size, resize)"
            )
        gray = image.pixels.stride(0) == 0
        resized = _resize(image.pixels[:1] if gray else image.pixels, self.resized_size)
        if image.pixels.dtype == torch.uint8:
            resized /= 255
        return resized.clamp_(0, 1).expand(3, -1, -1).contiguous()

    def to_resized(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map (x, y) in px of the original image to px of the resized one; the dtype is kept."""
        return (keypoints + 0.5) * keypoints.new_tensor(self.scale) - 0.5

    def to_original(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map (x, y) in px of the resized image to px of the original one; the dtype is kept."""
        return (keypoints + 0.5) / keypoints.new_tensor(self.scale) - 0.5


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise InvalidInput(f"sizes must be (width, height), two whole numbers above 0, but got {size!r}")


def _resize(pixels: Tensor, size: tuple[int, int]) -> Float32[Tensor, "c h w"]:
    """Resize to (width, height) in float32, values unscaled.

    Rows first, a strip at a time, so that only the narrowed image is ever held in floating point: what one
    call on the whole image gives, but in 0.2 instead of 1.4 GB for 108 megapixels. (Torch resizes uint8 much
    faster, but rounds to 8 bits, twice.)
    """
    width, height = size
    if (pixels.shape[2], pixels.shape[1]) == size:
        return pixels.to(torch.float32, copy=True)
    strips = pixels.split(max(1, PIXELS_AT_A_TIME // pixels.shape[2]), dim=1)
    narrowed = torch.cat([_interpolate(strip.float(), (strip.shape[1], width)) for strip in strips], dim=1)
    return _interpolate(narrowed, (height, width))


def _interpolate(pixels: Float32[Tensor, "c h w"], shape: tuple[int, int]) -> Float32[Tensor, "c h2 w2"]:
    return F.interpolate(pixels[None], shape, mode="bilinear", antialias=True, align_corners=False)[0]
