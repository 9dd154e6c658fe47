"""read_image: files, URLs, PIL images, arrays and tensors to an Image, or a one-line error."""

import os
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.conversion import pixels_from_numpy, pixels_from_pillow, pixels_from_tensor
from tiepoint.image.decoding import (
    BinaryFile,
    DecodedImage,
    check_megapixels,
    decode,
    decode_bytes,
    decode_file_object,
    decode_pillow,
)
from tiepoint.image.image import Image
from tiepoint.image.opening import damaged
from tiepoint.image.stretch import check_stretch, stretch_image
from tiepoint.types.options import Stretch

ImageSource: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryFile
    | PIL.Image.Image
    | np.ndarray
    | Tensor
)
"""A path, a URL, an encoded image, or pixels."""


def read_image(
    source: ImageSource | Image,
    *,
    stretch: Stretch = None,
    max_megapixels: float = 300.0,
    timeout: float = 10.0,
    max_download_mb: float = 500.0,
) -> Image:
    """Read an image from a file, a URL, or pixels in memory.

    Supported formats of files and URLs: JPEG, PNG, TIFF, WebP, BMP, PPM, GIF (first frame), JPEG 2000 and, from
    Pillow 11.3 on, AVIF, in gray, palette, RGB, CMYK, YCbCr or LAB. EXIF orientation is applied, to PIL images too;
    alpha is dropped, color profiles are ignored. 16-bit gray keeps its precision; 16-bit *color* files are reduced to
    8 bits, since Pillow has no mode for them: read those with another library and pass the array. Signed and 32-bit
    integers are taken as 16-bit gray; floating-point gray must be in [0, 1]. Other ranges (temperatures, heights) and
    images that use little of their range (10 bits in 16; a warning says so) need `stretch`. HEIC requires pillow-heif
    (`tiepoint[heic]`).

    Args:
        source: Path ("~" is expanded), http, https or data URL, encoded image (bytes, or a binary file object, which is
            read from its beginning), PIL image, NumPy array (h, w) or (h, w, c), or tensor (h, w) or (c, h, w), with
            c = 1, 3 or 4, also with a leading axis of length 1; uint8, uint16, bool, floating point in [0, 1], or
            other integers, which are taken as 8 bits if all are at most 255, otherwise as 16 bits. Channels are
            R, G, B: OpenCV's B, G, R cannot be detected, so reverse it with `array[..., ::-1]`. An `Image` is returned
            unchanged, or stretched.
        stretch: Percentile stretch: percentage of values that is clipped at each end when the rest is mapped to [0, 1];
            NaN becomes black. "auto" stretches only images with more than 8 bits that use less than 5 % of their range
            or exceed it, with 0.5 %. None never does.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s, for URLs; a download may take 1 s longer per 10 kB.
        max_download_mb: Maximum size of a download or data URL in MB.

    Raises:
        InvalidInput: If the source is missing, unreachable, too large, damaged, not an image, or of an unsupported
            shape or dtype; the message says which, and what to do.
    """
    stretch = check_stretch(stretch)
    if isinstance(source, Image):
        return stretch_image(source, stretch)
    if isinstance(source, np.ndarray | Tensor):
        return _from_array(source, stretch, max_megapixels)
    limits = {"max_megapixels": max_megapixels, "timeout": timeout, "max_download_mb": max_download_mb}
    return _from_decoded(_decode(source, limits), stretch)


def _decode(source: Any, limits: dict[str, float]) -> DecodedImage:
    max_megapixels = limits["max_megapixels"]
    if isinstance(source, PIL.Image.Image):
        return decode_pillow(source, max_megapixels, _filename(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_bytes(bytes(source), max_megapixels)
    if isinstance(source, BinaryFile):
        return decode_file_object(source, max_megapixels)
    return decode(_check_location(source), **limits)


def _from_array(array: np.ndarray | Tensor, stretch: Stretch, max_megapixels: float) -> Image:
    convert: Any = pixels_from_numpy if isinstance(array, np.ndarray) else pixels_from_tensor
    image = Image(pixels=convert(array, stretch=stretch), is_stretched=stretch is not None)
    check_megapixels(image.image_size, "the array", max_megapixels)
    return image


def _from_decoded(decoded: DecodedImage, stretch: Stretch) -> Image:
    try:
        pixels = pixels_from_pillow(decoded.image, decoded.name, stretch, decoded.samples)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's conversions raise almost any type
        raise damaged(error, decoded.name) from error
    return Image(
        pixels=pixels,
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
