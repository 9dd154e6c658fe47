"""Inputs of LightGlueForKeypointMatching: image sizes and external keypoints, validated."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.network import normalize_keypoints

ImageShape = tuple[int, int]
"""(height, width) of an image in px, as in the interface of transformers."""


class ImageFeatures(NamedTuple):
    """Features of one image.

    Attributes:
        keypoints: Keypoint coordinates (x / width, y / height).
        descriptors: Descriptors of the keypoints.
        image_shape: (height, width) of the image in px.
    """

    keypoints: Float[Tensor, "n 2"]
    descriptors: Float[Tensor, "n d"]
    image_shape: ImageShape

    def normalized_keypoints(self) -> Float[Tensor, "n 2"]:
        """Return the keypoint coordinates that LightGlue takes."""
        height, width = self.image_shape
        image_size = self.keypoints.new_tensor([width, height])
        return normalize_keypoints(self.keypoints * image_size, image_size)


def resolve_pair_shapes(pixel_values: Tensor | None, image_sizes: Any) -> list[ImageShape]:
    """Return (height, width) of each image without padding, flattened over pairs.

    Args:
        pixel_values: Image pairs, shape (b, 2, c, h, w); None with external keypoints.
        image_sizes: Sizes (height, width) in px of the images before padding, shape (b, 2, 2); None means that no
            image is padded.

    Raises:
        InvalidInput: If pixel_values are not 5-D image pairs, or image_sizes have another shape or exceed the images.
    """
    if pixel_values is not None and (pixel_values.ndim != 5 or pixel_values.shape[1] != 2):
        raise InvalidInput(
            "Input must be a 5D tensor of shape (batch_size, 2, num_channels, height, width), "
            f"got shape {tuple(pixel_values.shape)}"
        )
    if pixel_values is None and image_sizes is None:
        raise InvalidInput("pass pixel_values or image_sizes: coordinates are relative to the image size")
    images = None if pixel_values is None else pixel_values.flatten(0, 1)
    if image_sizes is None:
        return resolve_image_shapes(images, None)
    sizes = torch.as_tensor(image_sizes)
    count = "batch_size" if pixel_values is None else len(pixel_values)
    if sizes.ndim != 3 or sizes.shape[1:] != (2, 2) or (pixel_values is not None and len(sizes) != count):
        raise InvalidInput(
            f"image_sizes must have shape ({count}, 2, 2), (height, width) per image, got {tuple(sizes.shape)}"
        )
    return resolve_image_shapes(images, sizes.flatten(0, 1))


def resolve_image_shapes(images: Tensor | None, image_sizes: Any) -> list[ImageShape]:
    """Return (height, width) of each image without padding.

    Args:
        images: Images, shape (b, c, h, w); None if only their sizes are known.
        image_sizes: Sizes (height, width) in px of the images before padding, shape (b, 2); None means that no image
            is padded.

    Raises:
        InvalidInput: If images are not 4-D, or image_sizes have another shape or exceed the images.
    """
    if images is not None and images.ndim != 4:
        raise InvalidInput(
            f"Input must be a 4D tensor of shape (batch_size, num_channels, height, width), got {tuple(images.shape)}"
        )
    limit = None if images is None else tuple(images.shape[2:])
    if image_sizes is None:
        assert images is not None  # resolve_pair_shapes checked it
        assert limit is not None
        return [(int(limit[0]), int(limit[1]))] * len(images)
    sizes = torch.as_tensor(image_sizes)
    if sizes.ndim != 2 or sizes.shape[1] != 2 or (images is not None and len(sizes) != len(images)):
        raise InvalidInput(f"image_sizes must be (height, width) per image, got shape {tuple(sizes.shape)}")
    return [_check_image_shape(shape, limit) for shape in sizes.tolist()]


def _check_image_shape(shape: list[int], limit: tuple[int, ...] | None) -> ImageShape:
    height, width = map(int, shape)
    if min(height, width) < 1 or (limit is not None and (height > limit[0] or width > limit[1])):
        raise InvalidInput(f"image_sizes: {(height, width)} is not a (height, width) within the padded image")
    return height, width


def split_external_features(
    keypoints: Tensor | None, descriptors: Tensor | None, mask: Tensor | None, image_shapes: list[ImageShape]
) -> list[ImageFeatures]:
    """Return external keypoints and descriptors per image, without padding.

    Args:
        keypoints: Keypoint coordinates (x / width, y / height), shape (b, 2, n, 2).
        descriptors: Descriptors of the keypoints, shape (b, 2, n, d).
        mask: 1 for keypoints and 0 for padding, shape (b, 2, n); None means no padding.
        image_shapes: (height, width) of each image in px, flattened over pairs.

    Raises:
        InvalidInput: If keypoints or descriptors are missing, or the shapes are inconsistent.
    """
    if keypoints is None or descriptors is None:
        raise InvalidInput("keypoints and descriptors must be passed together, or neither, with pixel_values")
    shape = (len(image_shapes) // 2, 2, keypoints.shape[2])
    mask = torch.ones(shape, dtype=torch.bool, device=keypoints.device) if mask is None else mask.bool()
    if keypoints.shape != (*shape, 2) or descriptors.shape[:3] != shape or mask.shape != shape:
        raise InvalidInput(
            f"keypoints must have shape (b, 2, n, 2), descriptors (b, 2, n, d) and mask (b, 2, n) with b = {shape[0]}, "
            f"got {tuple(keypoints.shape)}, {tuple(descriptors.shape)} and {tuple(mask.shape)}"
        )
    images = zip(
        keypoints.flatten(0, 1), descriptors.flatten(0, 1), mask.flatten(0, 1), image_shapes, strict=True
    )
    return [
        ImageFeatures(points[valid].float(), vectors[valid], image_shape)
        for points, vectors, valid, image_shape in images
    ]
