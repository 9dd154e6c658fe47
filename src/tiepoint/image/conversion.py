"""PIL images, NumPy arrays and tensors of any common layout and depth to RGB pixels (3, h, w)."""

from typing import TypeAlias, TypeVar

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.types import describe

Pixels: TypeAlias = UInt8[Tensor, "3 h w"] | Float32[Tensor, "3 h w"]
"""RGB pixels: 0 to 255, or in [0, 1] if the source has more than 8 bits."""

Array = TypeVar("Array", np.ndarray, Tensor)

NUMPY_DTYPES = ("bool", "uint8", "uint16", "float16", "float32", "float64")
CHANNELS = (1, 3, 4)
"""Gray, RGB, and RGBA, whose alpha channel is dropped."""

LAYOUTS = {0: "(channels, height, width)", 2: "(height, width, channels)"}
REORDERINGS = {0: "tensor.permute(2, 0, 1)", 2: "array.transpose(1, 2, 0)"}
"""Channel axis (0 in tensors, 2 in NumPy arrays) -> code that reorders the other layout."""

DEEP_GRAY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes with more than 8 bits; all are gray."""

STEPS_TO_RGB = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"}
"""Modes whose direct conversion to RGB fails or warns about transparency -> intermediate mode."""

MAX_OVERSHOOT = 1e-3  # beyond [0, 1], as left by other resizing code; clamped
ROWS_PER_CHUNK = 64  # a chunk fits into the cache: 4 times faster than np.array(image), and less memory


def pixels_from_pillow(image: PIL.Image.Image, name: str) -> Pixels:
    """Convert a decoded PIL image of any mode.

    Args:
        image: PIL image; its EXIF orientation is not applied.
        name: Name of the image for error messages.

    Raises:
        InvalidInput: If the values of 32-bit gray are neither 16-bit integers nor in [0, 1].
    """
    if image.mode in DEEP_GRAY:
        return pixels_from_numpy(_deep_gray(image, name), name)
    if image.mode in ("1", "L"):
        return _three_channels(torch.from_numpy(_copy_rows(_convert(image, "L")))[None])
    image = _convert(image, STEPS_TO_RGB.get(image.mode, "RGB"))
    return torch.from_numpy(_copy_rows(_convert(image, "RGB"))).permute(2, 0, 1)


def pixels_from_numpy(array: np.ndarray, name: str = "the array") -> Pixels:
    """Convert an array (h, w) or (h, w, c), c = 1, 3 or 4, also with a leading axis of length 1.

    Args:
        array: Array; uint8, uint16, bool, or floating point in [0, 1].
        name: Name of the array for error messages.

    Raises:
        InvalidInput: If shape or dtype are unsupported, or values are not finite or outside [0, 1].
    """
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.dtype.name not in NUMPY_DTYPES:
        raise _wrong_dtype(array, name, fix=".astype(numpy.uint8)")
    native = _one_image(native, 2, name)
    tensor = torch.from_numpy(np.require(native, requirements=["C", "W"]))  # torch requires both
    return _to_pixels(tensor.permute(2, 0, 1) if tensor.ndim == 3 else tensor[None], name)


def pixels_from_tensor(tensor: Tensor, name: str = "the tensor") -> Pixels:
    """Convert a tensor (h, w) or (c, h, w), c = 1, 3 or 4, also with a leading axis of length 1.

    Args:
        tensor: Tensor; uint8, uint16, bool, or floating point in [0, 1].
        name: Name of the tensor for error messages.

    Raises:
        InvalidInput: If shape or dtype are unsupported, or values are not finite or outside [0, 1].
    """
    if not tensor.is_floating_point() and tensor.dtype not in (torch.bool, torch.uint8, torch.uint16):
        raise _wrong_dtype(tensor, name, fix=".to(torch.uint8)")
    tensor = _one_image(tensor.detach(), 0, name)
    return _to_pixels(tensor if tensor.ndim == 3 else tensor[None], name)


def _convert(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    return image if image.mode == mode else image.convert(mode)  # convert() always copies


def _copy_rows(image: PIL.Image.Image) -> np.ndarray:
    """Return a writable array of an 8-bit image, copied in chunks of rows."""
    width, height = image.size
    array = np.empty((height, width, 3) if image.mode == "RGB" else (height, width), np.uint8)
    for top in range(0, height, ROWS_PER_CHUNK):
        bottom = min(top + ROWS_PER_CHUNK, height)
        array[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return array


def _deep_gray(image: PIL.Image.Image, name: str) -> np.ndarray:
    array = np.asarray(image)
    if image.mode != "I":
        return array
    low, high = array.min(), array.max()
    if low < 0 or high > 65535:
        raise InvalidInput(
            f"{name} has 32-bit integers from {low:,} to {high:,}, expected 0 to 65,535; "
            "scale them and save as 16 bit, or pass an array in [0, 1]"
        )
    return array.astype(np.uint16)


def _one_image(value: Array, channel_axis: int, name: str) -> Array:
    """Check the layout and remove a leading axis of length 1."""
    shape = tuple(value.shape)
    if 0 in shape:
        raise InvalidInput(f"{name} of shape {shape} has no pixels; was it cropped to an empty region?")
    if len(shape) == 4 and shape[0] == 1:
        value, shape = value.reshape(shape[1:]), shape[1:]
    if len(shape) == 2 or (len(shape) == 3 and shape[channel_axis] in CHANNELS):
        return value
    raise InvalidInput(
        f"{name} must be {LAYOUTS[channel_axis]} with 1, 3 or 4 channels, or (height, width), "
        f"got shape {shape}; {_layout_fix(shape, channel_axis)}"
    )


def _layout_fix(shape: tuple[int, ...], channel_axis: int) -> str:
    if len(shape) == 4:
        return "pass the images of a batch one at a time"
    if len(shape) == 3 and shape[2 - channel_axis] in CHANNELS:
        return f"reorder its axes with {REORDERINGS[channel_axis]}"
    return "pass one gray, RGB or RGBA image"


def _to_pixels(channels: Tensor, name: str) -> Pixels:
    """Convert (c, h, w) of any supported dtype to (3, h, w), uint8 or float32."""
    channels = channels[:3]
    if channels.dtype == torch.bool:
        channels = channels.to(torch.uint8) * 255
    elif channels.dtype == torch.uint16:
        channels = channels.to(torch.float32).div_(65535)
    elif channels.dtype != torch.uint8:
        channels = _unit_range(channels.to(torch.float32), name)
    return _three_channels(channels)


def _unit_range(values: Tensor, name: str) -> Tensor:
    low, high = (float(bound) for bound in values.aminmax())  # both are NaN where any value is
    if not np.isfinite(high - low):
        raise InvalidInput(
            f"{name} contains NaN or infinite values; replace them, for example with nan_to_num"
        )
    if low < -MAX_OVERSHOOT or high > 1 + MAX_OVERSHOOT:
        raise InvalidInput(
            f"{name} is floating point with values from {low:g} to {high:g}, expected [0, 1]; "
            f"{_range_fix(low, high)}"
        )
    return values.clamp(0, 1) if low < 0 or high > 1 else values


def _range_fix(low: float, high: float) -> str:
    if low < -MAX_OVERSHOOT:
        return "undo its normalization, or scale it to [0, 1]"
    if high <= 65535:
        return f"divide by {255 if high <= 255 else 65535}"
    return "scale it to [0, 1]"


def _three_channels(channels: Tensor) -> Tensor:
    return channels.expand(3, -1, -1)  # the channels of a gray image share memory


def _wrong_dtype(value: np.ndarray | Tensor, name: str, fix: str) -> InvalidInput:
    return InvalidInput(
        f"{name} must be uint8, uint16, bool, or floating point in [0, 1], got {describe(value)}; "
        f"convert it, for example with {fix} if its values are 0 to 255"
    )
