"""Reading images to tensors, as `lightglue.utils` does."""

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor

from tiepoint import image as _image
from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_integer

ImagePath: TypeAlias = str | os.PathLike[str]
Pixels: TypeAlias = UInt8[np.ndarray, "*_"]
"""Image with 8 bits per channel, shape (h, w, 3) or (h, w)."""

MODES = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
"""Name of an interpolation -> torch's name."""
SIDES = {"max": max, "min": min}
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray (ITU-R BT.601)."""


def load_image(
    path: ImagePath,
    resize: int | Sequence[int] | None = None,
    *,
    fn: str = "max",
    interp: str = "area",
) -> Float32[Tensor, "3 h w"]:
    """Read an image.

    Args:
        path: Path or URL of an image in any format that tiepoint reads; its EXIF orientation is applied.
        resize: Longer side in px, or (height, width); None keeps the size.
        fn: Side that `resize` gives: "max" the longer, "min" the shorter one.
        interp: Interpolation of the resize: "area", "linear", "cubic" or "nearest".

    Returns:
        RGB in [0, 1], shape (3, h, w).

    Raises:
        InvalidInput: If the image cannot be read, or an option is invalid.
    """
    pixels = read_image(path)
    if resize is not None:
        pixels, _ = resize_image(pixels, resize, fn=fn, interp=interp)
    return numpy_image_to_torch(pixels)


def read_image(path: ImagePath, grayscale: bool = False) -> Pixels:
    """Read an image as array.

    Args:
        path: Path or URL of an image.
        grayscale: Convert to gray.

    Returns:
        RGB, shape (h, w, 3), or gray, shape (h, w); 8 bits per channel.

    Raises:
        InvalidInput: If the image cannot be read.
    """
    pixels = _image.read_image(path).pixels
    if pixels.dtype != torch.uint8:
        pixels = pixels.mul(255).round().to(torch.uint8)
    if not grayscale:
        return pixels.permute(1, 2, 0).contiguous().numpy()
    weights = torch.tensor(LUMA, dtype=torch.float32, device="cpu").view(3, 1, 1)
    return (pixels * weights).sum(0).round().to(torch.uint8).numpy()


def numpy_image_to_torch(image: np.ndarray) -> Float32[Tensor, "c h w"]:
    """Convert an array (h, w, c) or (h, w) with values up to 255 to a tensor (c, h, w) in [0, 1].

    Raises:
        InvalidInput: If the array has another number of dimensions.
    """
    if image.ndim not in (2, 3):
        raise InvalidInput(f"expected an image (h, w) or (h, w, c), got an array of shape {image.shape}")
    channels = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.tensor(channels / 255.0, dtype=torch.float32, device="cpu")


def resize_image(
    image: Pixels,
    size: int | Sequence[int],
    fn: str = "max",
    interp: str = "area",
) -> tuple[Pixels, tuple[float, float]]:
    """Resize an image as OpenCV does, and round to 8 bits.

    Args:
        image: Image, shape (h, w, 3) or (h, w), 8 bits per channel.
        size: Longer side in px, or (height, width).
        fn: Side that an integer `size` gives: "max" the longer, "min" the shorter one.
        interp: Interpolation: "area", "linear", "cubic" or "nearest".

    Returns:
        The resized image, and the scale (x, y) in resized px per original px.

    Raises:
        InvalidInput: If an option is invalid.
    """
    height, width = image.shape[:2]
    new_height, new_width = _output_shape(height, width, size, fn)
    channels = (
        torch.from_numpy(np.ascontiguousarray(image)).float().reshape(height, width, -1).permute(2, 0, 1)
    )
    resized = resize_channels(channels, (new_height, new_width), interp)
    pixels = resized.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
    array = pixels.reshape(new_height, new_width, *image.shape[2:]).contiguous().numpy()
    return array, (new_width / width, new_height / height)


def resize_channels(
    channels: Float32[Tensor, "c h w"], shape: tuple[int, int], interp: str
) -> Float32[Tensor, "c h2 w2"]:
    """Resize an image as OpenCV does, without rounding.

    Args:
        channels: Image, shape (c, h, w).
        shape: Size (height, width) of the result in px.
        interp: Interpolation: "area", "linear", "cubic" or "nearest".

    Raises:
        InvalidInput: If the interpolation is unknown.
    """
    if interp not in ("area", *MODES):
        raise InvalidInput(unknown_name("interpolation", interp, ["area", *MODES]))
    if interp != "area":
        return F.interpolate(channels[None], shape, mode=MODES[interp])[0]
    height, width = channels.shape[1:]
    return _area_weights(height, shape[0]) @ channels @ _area_weights(width, shape[1]).T


def _output_shape(height: int, width: int, size: int | Sequence[int], fn: str) -> tuple[int, int]:
    if isinstance(size, Sequence):
        new_height, new_width = (check_integer("size", side, 1) for side in size)
        return new_height, new_width
    if fn not in SIDES:
        raise InvalidInput(unknown_name("fn", fn, SIDES))
    scale = check_integer("size", size, 1) / SIDES[fn](height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _area_weights(size: int, new_size: int) -> Float32[Tensor, "m n"]:
    """Return the fraction of each of `new_size` output pixels that each of `size` input pixels covers."""
    edges = torch.arange(new_size + 1, dtype=torch.float64, device="cpu") * (size / new_size)
    pixels = torch.arange(size, dtype=torch.float64, device="cpu")
    begin = torch.maximum(edges[:-1, None], pixels)  # (m, n)
    end = torch.minimum(edges[1:, None], pixels + 1)
    return ((end - begin).clamp(min=0) * (new_size / size)).float()
