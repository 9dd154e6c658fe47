"""Accepted forms of image pairs."""

from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing.inputs import describe_images, is_image, read_input
from tiepoint.huggingface.options import EmptyInput, InvalidArgument
from tiepoint.image import Image

ImagePair = tuple[Image, Image]

ACCEPTED_FORMS = (
    "Input images must be a one of the following : - A pair of PIL images. - A pair of 3D arrays. "
    "- A pair of paths or URLs. - A list of pairs of PIL images. - A list of pairs of 3D arrays. "
    "- A list of pairs of paths or URLs."
)
"""Error message; it begins with the text of transformers, word for word."""


def read_pairs(images: Any, input_data_format: str | None = None) -> list[ImagePair]:
    """Read an image pair or a list of image pairs.

    Args:
        images: Two images, or a list of such pairs (lists or tuples); the forms of one image are those of
            `tiepoint.huggingface.image_processing.inputs.read_input`.
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.

    Raises:
        InvalidInput: If the form is not accepted or an image cannot be read; an InvalidArgument, also a TypeError, if
            the type is not accepted.
    """
    return [
        (read_input(image0, input_data_format), read_input(image1, input_data_format))
        for image0, image1 in _as_list_of_pairs(images)
    ]


def _as_list_of_pairs(images: Any) -> list[Any]:
    if _is_pair(images):
        return [images]
    if isinstance(images, list | tuple) and images and all(_is_pair(pair) for pair in images):
        return list(images)
    raise _error_class(images)(f"{ACCEPTED_FORMS} Got {describe_images(images)}")


def _error_class(images: Any) -> type[InvalidInput]:
    if isinstance(images, list | tuple):
        return InvalidInput if images else EmptyInput
    return InvalidInput if isinstance(images, str) or is_image(images) else InvalidArgument


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(is_image(image) for image in value)
