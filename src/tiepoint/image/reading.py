"""read_image: files, URLs, PIL images, arrays and tensors to an Image, or a one-line error."""

import os
from typing import TypeAlias

import numpy as np
import PIL.Image
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.conversion import pixels_from_numpy, pixels_from_pillow, pixels_from_tensor
from tiepoint.image.decoding import DecodedImage, check_megapixels, decode, decode_pillow
from tiepoint.image.image import Image
from tiepoint.image.opening import damaged

ImageSource: TypeAlias = str | os.PathLike[str] | PIL.Image.Image | np.ndarray | Tensor
"""A path, a URL, or pixels."""


def read_image(
    source: ImageSource | Image,
    *,
    max_megapixels: float = 300.0,
    timeout: float = 10.0,
    max_download_mb: float = 500.0,
) -> Image:
    """Read an image from a file, a URL, or pixels in memory.

    Supported formats of files and URLs: JPEG, PNG, TIFF, WebP, BMP, PPM, GIF (first frame), JPEG 2000 and, from
    Pillow 11.3 on, AVIF, in gray, palette, RGB, CMYK, YCbCr or LAB. EXIF orientation is applied, to PIL images too;
    alpha is dropped, color profiles are ignored. 16-bit gray keeps its precision; 16-bit *color* files are reduced to
    8 bits, since Pillow has no mode for them: read those with another library and pass the array. 32-bit integers are
    taken as 16-bit gray and must be in its range; floating-point gray must be in [0, 1].

    Args:
        source: Path ("~" is expanded), http, https or data URL, PIL image, NumPy array (h, w) or (h, w, c), or tensor
            (h, w) or (c, h, w), with c = 1, 3 or 4, also with a leading axis of length 1; uint8, uint16, bool, or
            floating point in [0, 1]. Channels are R, G, B: OpenCV's B, G, R cannot be detected, so reverse it with
            `array[..., ::-1]`. An `Image` is returned unchanged.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s, for URLs; a download may take 1 s longer per 10 kB.
        max_download_mb: Maximum size of a download or data URL in MB.

    Raises:
        InvalidInput: If the source is missing, unreachable, too large, damaged, not an image, or of an unsupported
            shape or dtype; the message says which, and what to do.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, np.ndarray | Tensor):
        return _from_array(source, max_megapixels)
    if isinstance(source, PIL.Image.Image):
        return _from_decoded(decode_pillow(source, max_megapixels, _filename(source)))
    location = _check_location(source)
    limits = {"max_megapixels": max_megapixels, "timeout": timeout, "max_download_mb": max_download_mb}
    return _from_decoded(decode(location, **limits))


def _from_array(array: np.ndarray | Tensor, max_megapixels: float) -> Image:
    pixels = pixels_from_numpy(array) if isinstance(array, np.ndarray) else pixels_from_tensor(array)
    image = Image(pixels=pixels)
    check_megapixels(image.image_size, "the array", max_megapixels)
    return image


def _from_decoded(decoded: DecodedImage) -> Image:
    try:
        pixels = pixels_from_pillow(decoded.image, decoded.name)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's conversions raise almost any type
        raise damaged(error, decoded.name) from error
    return Image(pixels=pixels, source=decoded.source, exif_orientation=decoded.exif_orientation)


def _filename(image: PIL.Image.Image) -> str | None:
    """Return the path that Pillow opened the image from; images created or changed in memory have none."""
    name = getattr(image, "filename", None)
    return name if isinstance(name, str) and name else None


def _check_location(source: object) -> str:
    if not isinstance(source, str | os.PathLike):
        raise InvalidInput(
            f"expected a path, URL, PIL image, NumPy array or tensor, got {type(source).__name__}; "
            "open encoded bytes with PIL.Image.open(io.BytesIO(data))"
        )
    location = os.fsdecode(source)
    if not location.strip():
        raise InvalidInput("the path of the image is empty; pass the path of an image file")
    return location
