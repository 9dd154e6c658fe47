"""Images in the forms that transformers accepts: PIL images, arrays, tensors, paths, URLs and base64."""

import os
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import PIL.Image
import torch
from PIL.ExifTags import Base as ExifTag
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import EmptyInput, InvalidArgument, plain
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.io.messages import unknown_name
from tiepoint.types import describe

DEFAULT_TIMEOUT_S = 10.0

NUM_CHANNELS = (1, 3, 4)
"""Lengths that identify the channel axis of an array; if both the first and the last axis qualify, the first is used."""

CHANNEL_AXES = {"channels_first": 0, "channels_last": 2}
"""`input_data_format` -> channel axis."""

WIDE_INTEGERS = ("int", "uint32", "uint64")
"""Beginnings of the names of integer dtypes that are converted to 8 bits; uint16 is a depth of its own."""

MAX_8_BIT_VALUE = 255

MAX_FILE_NAME = 255
"""Maximum length of a file name; longer texts that are not a path are taken for base64."""

NOT_IMAGES = (
    "images must be an image, a list of images, or a batch of images (4D array or tensor); "
    "an image is a PIL image, a 3D array or tensor, a path or a URL"
)


def load_image(image: Any, timeout: float | None = None) -> PIL.Image.Image:
    """Read an image as an upright RGB image.

    Args:
        image: Path, http, https or data URL, base64-encoded file, or PIL image.
        timeout: Timeout of the server in s; None means 10.

    Raises:
        InvalidInput: If the image cannot be read; an InvalidArgument, also a TypeError, if it is of another type.
    """
    if not isinstance(image, str | os.PathLike | PIL.Image.Image):
        raise InvalidArgument(f"expected a path, URL, base64 text or PIL image, got {describe(image)}")
    return read_source(image, timeout).to_pil()


def read_source(image: ImageSource | Image, timeout: float | None = None) -> Image:
    """Read an image like `tiepoint.read_image`, and from base64 text without a scheme.

    Args:
        image: Image, PIL image, array, tensor, path, URL or base64-encoded file.
        timeout: Timeout of the server in s; None means 10.

    Raises:
        InvalidInput: If the image cannot be read.
    """
    seconds = DEFAULT_TIMEOUT_S if timeout is None else timeout
    if not isinstance(image, str) or ":" in image or _exists(image):
        return read_image(image, timeout=seconds)
    try:
        return read_image(f"data:;base64,{image}")
    except InvalidInput:
        if len(image) > MAX_FILE_NAME:
            raise
    return read_image(image, timeout=seconds)


def is_image(value: Any) -> TypeGuard[ImageSource | Image]:
    """Whether a value has the form of one image; arrays and tensors have three axes."""
    if isinstance(value, np.ndarray | Tensor):
        return value.ndim == 3
    return isinstance(value, PIL.Image.Image | Image | str | os.PathLike)


def read_input(image: ImageSource | Image, input_data_format: str | None = None) -> Image:
    """Read an image for an image processor.

    Args:
        image: PIL image, array or tensor (h, w, c) or (c, h, w) with c = 1, 3 or 4, path, URL, or `Image`. Values of
            arrays are 8-bit integers of any dtype, in [0, 1], or, if any value is above 1, in [0, 255].
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.

    Returns:
        Image. The EXIF orientation of files and URLs is applied. PIL images are used as stored, so that their size
        stays `image.height` x `image.width`.

    Raises:
        InvalidInput: If the axis order is unknown or the image cannot be read.
    """
    input_data_format = plain(input_data_format)
    if input_data_format is not None and input_data_format not in CHANNEL_AXES:
        raise InvalidInput(unknown_name("input_data_format", input_data_format, CHANNEL_AXES))
    if isinstance(image, np.ndarray | Tensor):
        return read_image(_normalize_values(_to_default_layout(image, input_data_format)))
    return read_source(_ignore_orientation(image) if isinstance(image, PIL.Image.Image) else image)


def read_images(images: Any, input_data_format: str | None = None) -> list[Image]:
    """Read an image, a batch (4D array or tensor), or a list or nested lists of these.

    Args:
        images: Images; the forms of one image are those of `read_input`.
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.

    Raises:
        InvalidInput: If there are no images or one cannot be read; an InvalidArgument, also a TypeError, if the type
            is not accepted.
    """
    flat = _flatten(images)
    if not flat:
        raise EmptyInput(f"{NOT_IMAGES}; got none")
    return [read_input(image, input_data_format) for image in flat]


def describe_images(value: Any) -> str:
    """Return a short description of images of an unsupported form, for error messages."""
    if not isinstance(value, list | tuple):
        return describe(value)
    items = ", ".join(describe(item) for item in value[:3])
    return f"a {type(value).__name__} of {len(value)}: {items}".rstrip(": ")


def _flatten(images: Any) -> list[Any]:
    if is_image(images):
        return [images]
    if isinstance(images, np.ndarray | Tensor) and images.ndim == 4:
        return list(images)
    if isinstance(images, list | tuple):
        return [image for item in images for image in _flatten(item)]
    error = InvalidInput if isinstance(images, np.ndarray | Tensor) else InvalidArgument
    raise error(f"{NOT_IMAGES}; got {describe(images)}")


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long, unknown user, null character
        return False


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


def _normalize_values(array: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Convert wide integers in [0, 255] to 8 bits, and scale floating-point values in [0, 255] to [0, 1].

    Raises:
        InvalidInput: If integers are outside [0, 255].
    """
    dtype = str(array.dtype).removeprefix("torch.")
    if 0 in array.shape or not dtype.startswith(("float", "bfloat", *WIDE_INTEGERS)):
        return array
    wide = array.to(torch.int64) if isinstance(array, Tensor) and "float" not in dtype else array
    low, high = float(wide.min()), float(wide.max())  # torch has no minimum of unsigned integers
    if "float" in dtype:
        return array / MAX_8_BIT_VALUE if 1 < high <= MAX_8_BIT_VALUE else array
    if low < 0 or high > MAX_8_BIT_VALUE:
        raise InvalidInput(
            f"images of integers must be in [0, 255], got {low:g} to {high:g} in a {describe(array)}; "
            "scale them, or pass 16-bit images as uint16"
        )
    return array.to(torch.uint8) if isinstance(array, Tensor) else array.astype(np.uint8)
