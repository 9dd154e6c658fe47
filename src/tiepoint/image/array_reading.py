"""read_array: files, URLs, PIL images and arrays to an ImageArray, or a one-line error."""

import os
from typing import Any, TypeAlias

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.image.conversion import channels_from_array, channels_from_pillow
from tiepoint.image.decoding import (
    BinaryFile,
    DecodedImage,
    check_megapixels,
    decode,
    decode_bytes,
    decode_file_object,
    decode_pillow,
)
from tiepoint.image.image_array import ImageArray
from tiepoint.image.opening import damaged
from tiepoint.image.stretch import check_stretch
from tiepoint.types.image_values import Stretch

ArraySource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | PIL.Image.Image | np.ndarray
)
"""A path, a URL, an encoded image, or pixels."""


def read_array(
    source: ArraySource,
    *,
    stretch: Stretch = None,
    max_megapixels: float = 300.0,
    timeout: float = 10.0,
    max_download_mb: float = 500.0,
) -> ImageArray:
    """Read an image from a file, a URL, or pixels in memory; `read_image` describes what is supported.

    Args:
        source: Path, http, https or data URL, encoded image, binary file object, PIL image, or array (h, w[, c]).
        stretch: Percentile stretch.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s, for URLs.
        max_download_mb: Maximum size of a download or data URL in MB.

    Raises:
        InvalidInput: If the source is missing, unreachable, too large, damaged, not an image, or of an unsupported
            shape or dtype; the message says which, and what to do.
    """
    stretch = check_stretch(stretch)
    if isinstance(source, np.ndarray):
        return from_channels(channels_from_array(source, stretch=stretch), stretch, max_megapixels)
    limits = {"max_megapixels": max_megapixels, "timeout": timeout, "max_download_mb": max_download_mb}
    return from_decoded(decode_source(source, limits), stretch)


def from_channels(channels: np.ndarray, stretch: Stretch, max_megapixels: float) -> ImageArray:
    """Return the image of converted pixels.

    Args:
        channels: Pixels as `ImageArray.channels`.
        stretch: Percentile stretch that they were converted with.
        max_megapixels: Maximum number of pixels in millions.

    Raises:
        InvalidInput: If the image is too large.
    """
    image = ImageArray(channels=channels, is_stretched=stretch is not None)
    check_megapixels(image.image_size, "the array", max_megapixels)
    return image


def decode_source(source: Any, limits: dict[str, float]) -> DecodedImage:
    """Decode an image of any form but an array.

    Args:
        source: Path, http, https or data URL, encoded image, binary file object or PIL image.
        limits: max_megapixels, timeout and max_download_mb of `read_array`.

    Raises:
        InvalidInput: If the image is missing, unreachable, too large, damaged, or in an unsupported format.
    """
    max_megapixels = limits["max_megapixels"]
    if isinstance(source, PIL.Image.Image):
        return decode_pillow(source, max_megapixels, _filename(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_bytes(bytes(source), max_megapixels)
    if isinstance(source, BinaryFile):
        return decode_file_object(source, max_megapixels)
    return decode(_check_location(source), **limits)


def from_decoded(decoded: DecodedImage, stretch: Stretch) -> ImageArray:
    """Return a decoded image as an array.

    Args:
        decoded: Decoded image.
        stretch: Percentile stretch.

    Raises:
        InvalidInput: If the values are unsupported.
    """
    try:
        channels = channels_from_pillow(decoded.image, decoded.name, stretch, decoded.samples)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's conversions raise almost any type
        raise damaged(error, decoded.name) from error
    return ImageArray(
        channels=channels,
        source=decoded.source,
        exif_orientation=decoded.exif_orientation,
        is_stretched=stretch is not None,
    )


def _filename(image: PIL.Image.Image) -> str | None:
    """Return the path that Pillow opened the image from; images created or changed in memory have none."""
    name = getattr(image, "filename", None)
    return os.path.abspath(name) if isinstance(name, str) and name else None  # noqa: PTH100


def _check_location(source: object) -> str:
    if not isinstance(source, str | os.PathLike):
        raise InvalidInput(
            "expected a path, URL, encoded image (bytes or a file object), PIL image, NumPy array or tensor, "
            f"got {type(source).__name__}"
        )
    location = os.fsdecode(source)
    if not location.strip():
        raise InvalidInput("the path of the image is empty; pass the path of an image file")
    return location
