"""ImageScaling: the size that an image is resized to, and the same for arrays of pixels and keypoints."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.image.array_resize import resize_channels
from tiepoint.image.image_array import ImageArray
from tiepoint.io.validation import is_integer
from tiepoint.types.image_values import to_image_size

Scaling = TypeVar("Scaling", bound="ImageScaling")

MAX_RESIZE = 32_768
"""Maximum side in px of a resized image."""


@dataclass(frozen=True, slots=True)
class ImageScaling:
    """A resize from one image size to another; `ImageTransform` adds the methods for tensors.

    The center of the top-left pixel is (0, 0), so x' = (x + 0.5) s - 0.5, with s = resized / original side per axis:
    sizes are integers, so the two scales differ slightly.

    Attributes:
        original_size: Size (width, height) of the original image in px.
        resized_size: Size (width, height) of the resized image in px.

    Raises:
        InvalidInput: If a side is not a positive integer.
    """

    original_size: tuple[int, int]
    resized_size: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_size", to_image_size(self.original_size))
        object.__setattr__(self, "resized_size", to_image_size(self.resized_size))

    @classmethod
    def fit(
        cls: "type[Scaling]",
        image_size: tuple[int, int],
        resize: int | None,
        *,
        upscale: bool = True,
        multiple: int = 1,
    ) -> Scaling:
        """Return the transform that resizes the longer side to `resize` px; both sides are at least 1 px.

        Args:
            image_size: Size (width, height) of the image in px.
            resize: Longer side in px, 1 to 32,768; None keeps the size.
            upscale: Enlarge images whose longer side is below `resize`; otherwise they keep their size.
            multiple: Then reduce both sides to the next lower multiples of this many px, at least one.

        Raises:
            InvalidInput: If `resize` or a side of the image is not an integer in its range.
        """
        image_size = to_image_size(image_size)
        if resize is not None and (not is_integer(resize, 1) or resize > MAX_RESIZE):
            raise InvalidInput(
                f"resize must be an integer from 1 to {MAX_RESIZE:,} px (longer side), or None, got {resize!r}"
            )
        longer = max(image_size)
        target = longer if resize is None or (longer < resize and not upscale) else int(resize)
        sides = ((2 * side * target + longer) // (2 * longer) for side in image_size)  # rounded
        width, height = (max(side // multiple, 1) * multiple for side in sides)
        return cls(image_size, (width, height))

    @property
    def scale(self) -> tuple[float, float]:
        """Scale (x, y): resized px per original px."""
        (width, height), (new_width, new_height) = self.original_size, self.resized_size
        return new_width / width, new_height / height

    def check_size(self, image_size: tuple[int, int]) -> None:
        """Check the size (width, height) of an image in px.

        Raises:
            InvalidInput: If it is not `original_size`.
        """
        if image_size != self.original_size:
            raise InvalidInput(
                f"expected an image of {self.original_size} px (width, height), got {image_size}; "
                f"create the transform with {type(self).__name__}.fit(image.image_size, resize)"
            )

    def apply_to_array(self, image: ImageArray) -> np.ndarray:
        """Resize an image, bilinear with antialiasing (a triangle filter scaled with the reduction).

        Args:
            image: Image of size `original_size`.

        Returns:
            RGB in [0, 1], float32, shape (3, h, w), in new memory.

        Raises:
            InvalidInput: If the image does not have `original_size`.
        """
        self.check_size(image.image_size)
        resized = resize_channels(image.channels, self.resized_size)
        if image.channels.dtype == np.uint8:
            resized /= np.float32(255)
        return np.repeat(resized.clip(0, 1, out=resized), 3 // len(resized), axis=0)

    def array_to_original(self, keypoints: np.ndarray) -> np.ndarray:
        """Map keypoints (x, y), shape (n, 2), from px of the resized to px of the original image; keeps the dtype."""
        return (keypoints + keypoints.dtype.type(0.5)) / np.asarray(
            self.scale, keypoints.dtype
        ) - keypoints.dtype.type(0.5)
