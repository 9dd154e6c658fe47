"""PIL images and NumPy arrays of any common layout and depth to channels (1, h, w) or (3, h, w)."""

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.image.stretch import AUTO_PERCENT, has_low_contrast, stretch_values
from tiepoint.image.tiff import SIGNED, UNSIGNED, Samples
from tiepoint.io.messages import describe
from tiepoint.types.image_values import Stretch

NUMPY_KINDS = "biuf"
"""Kinds of NumPy dtypes: bool, integers and floating point."""
FLOAT_BITS = (16, 32, 64)
CHANNELS = (1, 3, 4)
"""Gray, RGB, and RGBA, whose alpha channel is dropped."""

LAYOUTS = {0: "(channels, height, width)", 2: "(height, width, channels)"}
REORDERINGS = {0: "tensor.permute(2, 0, 1)", 2: "array.transpose(1, 2, 0)"}
"""Channel axis (0 in tensors, 2 in NumPy arrays) -> code that reorders the other layout."""

DEEP_GRAY = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes with more than 8 bits; all are gray."""

STEPS_TO_RGB = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"}
"""Modes whose direct conversion to RGB fails or warns about transparency -> intermediate mode."""

MAX_16_BITS = 65535
STRETCH_FIX = "use stretch='auto' to map the range of its values to [0, 1]"

MAX_OVERSHOOT = 1e-3  # beyond [0, 1], as left by other resizing code; clamped
ROWS_PER_CHUNK = 64  # a chunk fits into the cache: 4 times faster than np.array(image), and less memory


def channels_from_pillow(
    image: PIL.Image.Image, name: str, stretch: Stretch = None, samples: Samples | None = None
) -> np.ndarray:
    """Convert a decoded PIL image of any mode.

    Args:
        image: PIL image; its EXIF orientation is not applied.
        name: Name of the image for error messages.
        stretch: Percentile stretch.
        samples: Format of the samples if the image is from a TIFF.

    Raises:
        InvalidInput: If the values of 32-bit gray are neither 16-bit integers nor in [0, 1], and are not stretched.
    """
    if image.mode in DEEP_GRAY or _is_int8(image, samples):
        gray = _from_deep_gray(_deep_gray(image, samples), name, stretch)
        return 1 - gray if samples is not None and samples.white_is_zero else gray
    channels = _from_8_bits(image)
    return channels if stretch in (None, "auto") else stretch_values(channels, stretch)


def _from_8_bits(image: PIL.Image.Image) -> np.ndarray:
    if image.mode in ("1", "L"):
        return _copy_rows(_convert(image, "L"))[None]
    image = _convert(image, STEPS_TO_RGB.get(image.mode, "RGB"))
    return _copy_rows(_convert(image, "RGB")).transpose(2, 0, 1)


def channels_from_array(
    array: np.ndarray, name: str = "the array", stretch: Stretch = None, *, channel_axis: int = 2
) -> np.ndarray:
    """Convert an array (h, w) or (h, w, c), c = 1, 3 or 4, also with a leading axis of length 1.

    Args:
        array: Array; uint8, uint16, bool, floating point in [0, 1], or other integers, which are taken as 8 bits if all
            are at most 255, otherwise as 16 bits. Masked values become as dark as the darkest valid one.
        name: Name of the array for error messages.
        stretch: Percentile stretch.
        channel_axis: 2, or 0 for (c, h, w).

    Raises:
        InvalidInput: If shape or dtype are unsupported; if values are not finite or outside the range of their dtype
            and are not stretched.
    """
    native = _filled(array).astype(array.dtype.newbyteorder("="), copy=False)
    is_float = native.dtype.kind == "f"
    if native.dtype.kind not in NUMPY_KINDS or (is_float and 8 * native.itemsize not in FLOAT_BITS):
        raise wrong_dtype(array, name)
    native = np.require(
        _one_image(native, channel_axis, name), requirements=["C", "W"]
    )  # for torch.from_numpy
    if native.ndim == 2:
        return _to_channels(native[None], name, stretch)
    return _to_channels(np.moveaxis(native, channel_axis, 0), name, stretch)


def _filled(array: np.ndarray) -> np.ndarray:
    """Return an array without a mask; masked values, such as "no data", become as dark as the darkest valid one."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    return np.asarray(array.filled(0 if array.mask.all() else array.min()))


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


def _is_int8(image: PIL.Image.Image, samples: Samples | None) -> bool:
    """Return whether Pillow took signed bytes for unsigned ones."""
    return image.mode == "L" and samples is not None and samples.sample_format == SIGNED


def _deep_gray(image: PIL.Image.Image, samples: Samples | None) -> np.ndarray:
    """Return the values (1, h, w) of an image with more than 8 bits, or with signed values."""
    array = np.array(image)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if _is_int8(image, samples):
        native = native.view(np.int8)
    elif samples is not None and (samples.bits, samples.sample_format) == (32, UNSIGNED):
        native = native.view(np.uint32)  # Pillow's mode I is signed
    elif samples is not None and samples.bits == 12:
        native = native << 4 | native >> 8  # 0 to 4095 -> 0 to 65535
    return native[None]


def _from_deep_gray(values: np.ndarray, name: str, stretch: Stretch) -> np.ndarray:
    """Convert the values (1, h, w) of a file, whose integers have 16 bits even if all are small."""
    if values.dtype.kind == "f":
        return _unit_range(values, name, stretch)
    if values.dtype == np.int8 and stretch in (None, "auto") and _fits_8_bits(values):
        return values.astype(np.float32) / np.float32(255)
    return _from_integers(values, name, stretch)


def _one_image(value: np.ndarray, channel_axis: int, name: str) -> np.ndarray:
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


def _to_channels(channels: np.ndarray, name: str, stretch: Stretch) -> np.ndarray:
    """Convert (c, h, w) of any supported dtype to uint8 or float32, without alpha."""
    channels = channels[:3]
    if channels.dtype == np.bool_:
        channels = channels.astype(np.uint8) * np.uint8(255)
    elif channels.dtype.kind == "f":
        channels = _unit_range(channels, name, stretch)
    elif channels.dtype != np.uint8:
        fits = _fits_8_bits(channels)
        channels = channels.astype(np.uint8) if fits else _from_integers(channels, name, stretch)
    if channels.dtype == np.uint8 and stretch not in (None, "auto"):
        return stretch_values(channels, stretch)
    return channels


def _integer_range(values: np.ndarray) -> tuple[int, int]:
    if values.dtype == np.uint16:
        return 0, MAX_16_BITS
    return int(values.min()), int(values.max())


def _fits_8_bits(values: np.ndarray) -> bool:
    low, high = _integer_range(values)
    return low >= 0 and high <= 255


def _from_integers(values: np.ndarray, name: str, stretch: Stretch) -> np.ndarray:
    """Convert 16-bit values of any integer dtype to float32 in [0, 1], or stretch them."""
    if stretch not in (None, "auto"):
        return stretch_values(values, stretch)
    low, high = _integer_range(values)
    if low >= 0 and high <= MAX_16_BITS:
        return _stretch_if_needed(values.astype(np.float32) / np.float32(MAX_16_BITS), stretch)
    if stretch == "auto":
        return stretch_values(values, AUTO_PERCENT)
    raise InvalidInput(
        f"{name} has integers from {low:,} to {high:,}, expected 0 to {MAX_16_BITS:,}; {STRETCH_FIX}"
    )


def _unit_range(values: np.ndarray, name: str, stretch: Stretch) -> np.ndarray:
    """Convert floating point in [0, 1] to float32, or stretch it."""
    if stretch not in (None, "auto"):
        return stretch_values(values, stretch)
    low, high = float(values.min()), float(values.max())  # both are NaN where any value is
    is_finite = np.isfinite(high - low)
    if is_finite and low >= -MAX_OVERSHOOT and high <= 1 + MAX_OVERSHOOT:
        values = values.astype(np.float32, copy=False)
        return _stretch_if_needed(values.clip(0, 1) if low < 0 or high > 1 else values, stretch)
    if stretch == "auto":
        return stretch_values(values, AUTO_PERCENT)
    if not is_finite:
        raise InvalidInput(
            f"{name} contains NaN or infinite values; replace them, for example with nan_to_num, "
            "or use stretch='auto', which sets NaN to black"
        )
    raise InvalidInput(
        f"{name} is floating point with values from {low:g} to {high:g}, expected [0, 1]; {_range_fix(low, high)}"
    )


def _stretch_if_needed(values: np.ndarray, stretch: Stretch) -> np.ndarray:
    """With "auto", stretch values in [0, 1] that use little of the range."""
    is_needed = stretch == "auto" and has_low_contrast(values)
    return stretch_values(values, AUTO_PERCENT) if is_needed else values


def _range_fix(low: float, high: float) -> str:
    if low < -MAX_OVERSHOOT:
        return f"undo its normalization, or {STRETCH_FIX}"
    if 64 < high <= 255:
        return f"divide by 255 if these are 8-bit values, otherwise {STRETCH_FIX}"
    return STRETCH_FIX


def wrong_dtype(value: object, name: str) -> InvalidInput:
    """Return the error for an array or tensor of an unsupported dtype."""
    return InvalidInput(
        f"{name} must hold integers, bool, or floating point in [0, 1], got {describe(value)}; convert its dtype"
    )
