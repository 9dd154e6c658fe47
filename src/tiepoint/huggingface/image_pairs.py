"""Every accepted form of image pairs becomes a list of pairs of `Image`."""

import os
from typing import Any

import numpy as np
import PIL.Image
from PIL.ExifTags import Base as ExifTag
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.types import describe

ImagePair = tuple[Image, Image]

ACCEPTED_FORMS = (
    "Input images must be a one of the following : - A pair of PIL images. - A pair of 3D arrays. "
    "- A pair of paths or URLs. - A list of pairs of PIL images. - A list of pairs of 3D arrays. "
    "- A list of pairs of paths or URLs."
)
"""The beginning is transformers' text, word for word."""

CHANNELS = (1, 3, 4)
"""Lengths by which the axis of the channels is told; where both ends qualify, the first is taken."""

LAYOUTS = {"channels_first": 0, "channels_last": 2}
BRIGHTEST = 255.0


def read_pairs(images: Any, input_data_format: str | None = None) -> list[ImagePair]:
    """Read a pair of images, or a list of pairs.

    Args:
        images: two images, or a list of such pairs, in lists or tuples. An image is a PIL image, an array or tensor
            (h, w, c) or (c, h, w) with c = 1, 3 or 4, a path, a URL, or an `Image`. Floating-point values are in
            [0, 1] or, where one is above 1, in [0, 255].
        input_data_format: "channels_first" or "channels_last" of arrays; None: told by their shape.

    Returns:
        Pairs of images. Paths and URLs are turned upright by their EXIF orientation. PIL images are taken as they
        are stored, so that they keep the size that `image.height` and `image.width` say.

    Raises:
        InvalidInput: another form; or an image can't be read.
    """
    if input_data_format is not None and input_data_format not in LAYOUTS:
        raise InvalidInput(
            f"input_data_format must be one of {', '.join(LAYOUTS)}, but is {input_data_format!r}"
        )
    return [
        (_read(image0, input_data_format), _read(image1, input_data_format))
        for image0, image1 in _as_list_of_pairs(images)
    ]


def _as_list_of_pairs(images: Any) -> list[Any]:
    if _is_pair(images):
        return [images]
    if isinstance(images, list | tuple) and images and all(_is_pair(pair) for pair in images):
        return list(images)
    raise InvalidInput(f"{ACCEPTED_FORMS} But came {_form(images)}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(_is_image(image) for image in value)


def _is_image(value: Any) -> bool:
    if isinstance(value, np.ndarray | Tensor):
        return value.ndim == 3
    return isinstance(value, PIL.Image.Image | Image | str | os.PathLike)


def _form(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return describe(value)
    return (
        f"a {type(value).__name__} of {len(value)}: {', '.join(describe(item) for item in value[:3])}".rstrip(
            ": "
        )
    )


def _read(image: Any, layout: str | None) -> Image:
    if isinstance(image, np.ndarray | Tensor):
        return read_image(_in_unit_range(_in_usual_layout(image, layout)))
    return read_image(_as_stored(image) if isinstance(image, PIL.Image.Image) else image)


def _as_stored(image: PIL.Image.Image) -> PIL.Image.Image:
    """The same image without its EXIF orientation, which `read_image` would apply."""
    image.load()  # a PNG may carry it behind the pixels
    if image.getexif().get(ExifTag.Orientation, 1) == 1:
        return image
    image = image.copy()
    image.getexif()[ExifTag.Orientation] = 1
    return image


def _in_usual_layout(array: np.ndarray | Tensor, layout: str | None) -> np.ndarray | Tensor:
    """Channels last for arrays, first for tensors, as `read_image` takes them."""
    axis = LAYOUTS[layout] if layout else (0 if array.shape[0] in CHANNELS else 2)
    if isinstance(array, Tensor):
        return array.permute(2, 0, 1) if axis == 2 else array
    return array.transpose(1, 2, 0) if axis == 0 else array


def _in_unit_range(array: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Floating point of 0 to 255, as transformers takes it, comes down to [0, 1]."""
    floating = array.is_floating_point() if isinstance(array, Tensor) else array.dtype.kind == "f"
    if not floating or 0 in array.shape:
        return array
    return array / BRIGHTEST if 1 < float(array.max()) <= BRIGHTEST else array
