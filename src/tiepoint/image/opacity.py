"""Opacity of images: which pixels of an image with an alpha channel or a transparent color are visible."""

import os

import numpy as np
import PIL.Image
from jaxtyping import Bool

from tiepoint.image.array_reading import ArraySource, decode_source, from_decoded, read_array
from tiepoint.image.image_array import ImageArray
from tiepoint.image.stretch import check_stretch
from tiepoint.types.image_values import Stretch

WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
"""Pillow's modes with an alpha channel; others may have a transparent color."""

Opacity = Bool[np.ndarray, "h w"]


def read_array_and_opacity(
    source: ArraySource,
    *,
    stretch: Stretch = None,
    max_megapixels: float = 300.0,
    timeout: float = 10.0,
    max_download_mb: float = 500.0,
) -> tuple[ImageArray, Opacity | None]:
    """Read an image as `read_array` does, and which of its pixels are visible.

    Args:
        source: Same as for `read_array`.
        stretch: Percentile stretch.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s, for URLs.
        max_download_mb: Maximum size of a download or data URL in MB.

    Returns:
        The image, and True where its opacity is above 0; None if all pixels are visible.

    Raises:
        InvalidInput: Same as for `read_array`.
    """
    limits = {"max_megapixels": max_megapixels, "timeout": timeout, "max_download_mb": max_download_mb}
    if isinstance(source, np.ndarray):
        return read_array(source, stretch=stretch, **limits), opacity_of_array(source)
    decoded = decode_source(os.fspath(source) if isinstance(source, os.PathLike) else source, limits)
    return from_decoded(decoded, check_stretch(stretch)), opacity_of_pillow(decoded.image)


def opacity_of_array(array: np.ndarray, *, channel_axis: int = 2) -> Opacity | None:
    """Return where the fourth channel of an array is above 0; None if there is none, or it is nowhere 0.

    Args:
        array: Array that `read_array` accepts: (h, w) or (h, w, c), also with a leading axis of length 1.
        channel_axis: 2, or 0 for (c, h, w).
    """
    image = array[0] if array.ndim == 4 else array
    if image.ndim != 3 or image.shape[channel_axis] != 4:
        return None
    return _or_none(np.asarray(np.take(image, 3, axis=channel_axis) > 0))


def opacity_of_pillow(image: PIL.Image.Image) -> Opacity | None:
    """Return where a PIL image is not fully transparent; None if it is nowhere.

    Args:
        image: Decoded image, with an alpha channel or a transparent color (of a palette, for example).
    """
    if image.mode not in WITH_ALPHA:
        if "transparency" not in image.info or image.mode not in ("1", "L", "P", "RGB"):
            return None
        image = image.convert("RGBA")
    elif image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    return _or_none(np.asarray(image.getchannel("A")) > 0)


def _or_none(opacity: Opacity) -> Opacity | None:
    return None if opacity.all() else opacity
