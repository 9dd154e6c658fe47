"""Accepted forms of image pairs and of the `size` setting of image processors."""

import os
from typing import Any

import numpy as np
import PIL.Image
from PIL.ExifTags import Base as ExifTag
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import MAX_RESIZE, Image, ImageTransform, read_image
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import is_integer
from tiepoint.types import describe

ImagePair = tuple[Image, Image]

ACCEPTED_FORMS = (
    "Input images must be a one of the following : - A pair of PIL images. - A pair of 3D arrays. "
    "- A pair of paths or URLs. - A list of pairs of PIL images. - A list of pairs of 3D arrays. "
    "- A list of pairs of paths or URLs."
)
"""Error message; it begins with the text of transformers, word for word."""

NUM_CHANNELS = (1, 3, 4)
"""Lengths that identify the channel axis of an array; if both the first and the last axis qualify, the first is used."""

CHANNEL_AXES = {"channels_first": 0, "channels_last": 2}
"""`input_data_format` -> channel axis."""

MAX_8_BIT_VALUE = 255.0

SIZE_FORMS = (
    {"height", "width"},
    {"longest_edge"},
    {"shortest_edge"},
    {"shortest_edge", "longest_edge"},
    {"max_height", "max_width"},
)
"""Accepted keys of `size`; all but the first form keep the aspect ratio."""


def read_pairs(images: Any, input_data_format: str | None = None) -> list[ImagePair]:
    """Read an image pair or a list of image pairs.

    Args:
        images: Two images, or a list of such pairs (lists or tuples). An image is a PIL image, an array or tensor
            (h, w, c) or (c, h, w) with c = 1, 3 or 4, a path, a URL, or an `Image`. Floating-point values are in
            [0, 1] or, if any value is above 1, in [0, 255].
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.

    Returns:
        Pairs of images. The EXIF orientation of files and URLs is applied. PIL images are used as stored, so that
        their size stays `image.height` x `image.width`.

    Raises:
        InvalidInput: If the form is not accepted or an image cannot be read.
    """
    if input_data_format is not None and input_data_format not in CHANNEL_AXES:
        raise InvalidInput(unknown_name("input_data_format", input_data_format, CHANNEL_AXES))
    return [
        (_read(image0, input_data_format), _read(image1, input_data_format))
        for image0, image1 in _as_list_of_pairs(images)
    ]


def as_size(value: Any) -> dict[str, int]:
    """Convert a size to its dict form, one of `SIZE_FORMS`; an integer is the shortest edge, a pair (height, width).

    Raises:
        InvalidInput: If the form is not accepted or a side is not an integer from 1 to 32,768.
    """
    if isinstance(value, int):
        size = {"shortest_edge": value}
    elif isinstance(value, list | tuple) and len(value) == 2:
        size = {"height": value[0], "width": value[1]}
    else:
        size = _as_dict(value)
    if set(size) not in SIZE_FORMS or not all(_is_side(side) for side in size.values()):
        forms = ", ".join("{" + ", ".join(sorted(form)) + "}" for form in SIZE_FORMS)
        raise InvalidInput(f"size must be one of {forms}, in px from 1 to {MAX_RESIZE:,}, got {value!r}")
    return size


def resized_size(size: dict[str, int], image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of an image after resizing; sides are truncated as in transformers, but in integer arithmetic.

    Args:
        size: Size setting, one of `SIZE_FORMS`.
        image_size: Image size (width, height) in px.

    Returns:
        Size (width, height) in px; each side is at least 1 px.

    Raises:
        InvalidInput: If a side would be longer than 32,768 px.
    """
    if "height" in size:
        return size["width"], size["height"]
    if "max_height" in size:
        resized = _fit_into(size["max_width"], size["max_height"], image_size)
    elif "shortest_edge" in size:
        resized = _fit_edges(size["shortest_edge"], size.get("longest_edge", MAX_RESIZE + 1), image_size)
    else:
        return ImageTransform.fit(image_size, size["longest_edge"]).resized_size
    if max(resized) > MAX_RESIZE:
        raise InvalidInput(
            f"size {size} would resize an image of {image_size} px (width, height) to {resized} px, above the maximum of "
            f"{MAX_RESIZE:,}; add 'longest_edge', or crop the image"
        )
    return max(resized[0], 1), max(resized[1], 1)


def _as_list_of_pairs(images: Any) -> list[Any]:
    if _is_pair(images):
        return [images]
    if isinstance(images, list | tuple) and images and all(_is_pair(pair) for pair in images):
        return list(images)
    raise InvalidInput(f"{ACCEPTED_FORMS} Got {_describe_form(images)}")


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(_is_image(image) for image in value)


def _is_image(value: Any) -> bool:
    if isinstance(value, np.ndarray | Tensor):
        return value.ndim == 3
    return isinstance(value, PIL.Image.Image | Image | str | os.PathLike)


def _describe_form(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return describe(value)
    items = ", ".join(describe(item) for item in value[:3])
    return f"a {type(value).__name__} of {len(value)}: {items}".rstrip(": ")


def _read(image: Any, input_data_format: str | None) -> Image:
    if isinstance(image, np.ndarray | Tensor):
        return read_image(_to_unit_range(_to_default_layout(image, input_data_format)))
    return read_image(_ignore_orientation(image) if isinstance(image, PIL.Image.Image) else image)


def _ignore_orientation(image: PIL.Image.Image) -> PIL.Image.Image:
    """Return the image without its EXIF orientation, which `read_image` would apply."""
    image.load()  # in a PNG the EXIF data may follow the pixels
    if image.getexif().get(ExifTag.Orientation, 1) == 1:
        return image
    image = image.copy()
    image.getexif()[ExifTag.Orientation] = 1
    return image


def _to_default_layout(array: np.ndarray | Tensor, input_data_format: str | None) -> np.ndarray | Tensor:
    """Move the channels of arrays to the last axis and those of tensors to the first, as `read_image` expects."""
    if input_data_format:
        axis = CHANNEL_AXES[input_data_format]
    else:
        axis = 0 if array.shape[0] in NUM_CHANNELS else 2
    if isinstance(array, Tensor):
        return array.permute(2, 0, 1) if axis == 2 else array
    return array.transpose(1, 2, 0) if axis == 0 else array


def _to_unit_range(array: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Scale floating-point values in [0, 255], which transformers accepts, to [0, 1]."""
    is_float = array.is_floating_point() if isinstance(array, Tensor) else array.dtype.kind == "f"
    if not is_float or 0 in array.shape:
        return array
    return array / MAX_8_BIT_VALUE if 1 < float(array.max()) <= MAX_8_BIT_VALUE else array


def _as_dict(value: Any) -> dict[str, Any]:
    try:
        return {name: side for name, side in dict(value).items() if side is not None}
    except (TypeError, ValueError):
        return {}


def _is_side(value: Any) -> bool:
    return is_integer(value, 1) and value <= MAX_RESIZE


def _fit_into(max_width: int, max_height: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    if max_width * height <= max_height * width:
        return max_width, max_width * height // width
    return max_height * width // height, max_height


def _fit_edges(shortest: int, longest: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    short, long = sorted(image_size)
    new_short, new_long = shortest, shortest * long // short
    if new_long > longest:
        new_short, new_long = round(longest * short / long), longest
    return (new_short, new_long) if width <= height else (new_long, new_short)
