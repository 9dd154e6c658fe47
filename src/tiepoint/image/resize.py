"""ImageTransform: the only place where pixels and coordinates are scaled."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from tiepoint.image.array_resize import PIXELS_PER_CHUNK
from tiepoint.image.image import Image
from tiepoint.image.scaling import MAX_RESIZE, ImageScaling

__all__ = ["MAX_RESIZE", "ImageTransform"]


@dataclass(frozen=True, slots=True)
class ImageTransform(ImageScaling):
    """A resize from one image size to another: the only place where pixels and coordinates are scaled.

    The center of the top-left pixel is (0, 0), so x' = (x + 0.5) s - 0.5, with s = resized / original side per axis:
    sizes are integers, so the two scales differ slightly.

    Attributes:
        original_size: Size (width, height) of the original image in px.
        resized_size: Size (width, height) of the resized image in px.

    Raises:
        InvalidInput: If a side is not a positive integer.
    """

    def apply(self, image: Image) -> Float32[Tensor, "3 h w"]:
        """Resize an image, bilinear with antialiasing (a triangle filter scaled with the reduction).

        Args:
            image: Image of size `original_size`.

        Returns:
            RGB in [0, 1], shape (3, h, w), in new memory, on the device of the image.

        Raises:
            InvalidInput: If the image does not have `original_size`.
        """
        self.check_size(image.image_size)
        gray = image.pixels.stride(0) == 0
        resized = _resize(image.pixels[:1] if gray else image.pixels, self.resized_size)
        if image.pixels.dtype == torch.uint8:
            resized /= 255
        return resized.clamp_(0, 1).expand(3, -1, -1).contiguous()

    def to_resized(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map keypoints (x, y), shape (n, 2), from px of the original to px of the resized image; keeps the dtype."""
        return (keypoints + 0.5) * keypoints.new_tensor(self.scale) - 0.5

    def to_original(self, keypoints: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map keypoints (x, y), shape (n, 2), from px of the resized to px of the original image; keeps the dtype."""
        return (keypoints + 0.5) / keypoints.new_tensor(self.scale) - 0.5


def _resize(pixels: Tensor, size: tuple[int, int]) -> Float32[Tensor, "c h w"]:
    """Resize to (width, height) in float32, values unscaled.

    The width is resized first, in chunks of rows, so that only the narrowed image is stored in floating point:
    identical to one call on the whole image, but in 0.2 instead of 1.4 GB for 108 megapixels. (Torch resizes uint8
    much faster, but rounds to 8 bits, twice.)
    """
    width, height = size
    if (pixels.shape[2], pixels.shape[1]) == size:
        return pixels.to(torch.float32, copy=True)
    chunks = pixels.split(max(1, PIXELS_PER_CHUNK // pixels.shape[2]), dim=1)
    narrowed = torch.cat([_interpolate(chunk.float(), (chunk.shape[1], width)) for chunk in chunks], dim=1)
    return _interpolate(narrowed, (height, width))


def _interpolate(pixels: Float32[Tensor, "c h w"], shape: tuple[int, int]) -> Float32[Tensor, "c h2 w2"]:
    return F.interpolate(pixels[None], shape, mode="bilinear", antialias=True, align_corners=False)[0]
