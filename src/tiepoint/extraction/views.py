"""Views: transformed versions of an image from which features are extracted, in px of the view and of the image.

A rotation by a multiple of 90 degrees permutes the pixels of the image before it is resized: its keypoints are those of
an image that was rotated by hand, to the last bit. Any other view is rendered from the resized image by one affine map,
and its keypoints are mapped back by the inverse; pixels outside of the image are black, and hold no keypoints.

A tilt t simulates a plane seen from an angle of acos(1 / t): it compresses the image t times in one direction.
Source: Morel and Yu, ASIFT: A new framework for fully affine invariant image comparison, SIAM J. Imaging Sci. 2 (2009).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.extraction.rotation import rotate_image, rotate_mask, unrotate_features
from tiepoint.extraction.warping import (
    RENDERED_BORDER,
    ViewFeatures,
    Warp,
    extract_warp,
    resized_from_original,
)
from tiepoint.image import Image


@dataclass(frozen=True, slots=True)
class View:
    """A view of an image: the image is compressed in one direction, scaled, then rotated.

    Attributes:
        rotation: In-plane rotation in degrees, counter-clockwise, from 0 to 359.
        scale: Scale, in px of the view per px of the image as the extractor resizes it, across the direction of the tilt.
        tilt: Factor by which the image is compressed; at least 1, which is none.
        direction: Direction in which it is compressed, in degrees counter-clockwise from the x axis, from 0 to 179.
    """

    rotation: int = 0
    scale: float = 1.0
    tilt: float = 1.0
    direction: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether the view permutes the pixels of the image, without interpolation."""
        return self.rotation % 90 == 0 and self.scale == 1 and self.tilt == 1

    @property
    def linear(self) -> Float[np.ndarray, "2 2"]:
        """Linear part of the map from px of the resized image to px of the view."""
        angle, direction = math.radians(self.rotation), math.radians(self.direction)
        cosine, sine = math.cos(angle), math.sin(angle)
        along = np.array([math.cos(direction), -math.sin(direction)])  # y points down
        compression = np.eye(2) - (1 - 1 / self.tilt) * np.outer(along, along)
        rotation = np.array([[cosine, sine], [-sine, cosine]])  # counter-clockwise
        return self.scale * rotation @ compression

    def __str__(self) -> str:
        scale = "" if self.scale == 1 else f"-scaled{self.scale:g}"
        tilt = "" if self.tilt == 1 else f"-tilted{self.tilt:g}at{self.direction}"
        return f"rotated{self.rotation}{scale}{tilt}"


ORIGINAL = View()
"""The image as it is."""


def view_from_image(
    view: View, image_size: tuple[int, int]
) -> tuple[Float[np.ndarray, "3 3"], tuple[int, int]]:
    """Return the affine map from px of an image to px of its view, and the size (width, height) of the view in px.

    The center of the image is mapped to the center of the view, which contains the whole image.

    Args:
        view: View.
        image_size: Size (width, height) of the image in px.
    """
    matrix = np.eye(3)
    matrix[:2, :2] = view.linear
    width, height = np.ceil(np.abs(matrix[:2, :2]) @ image_size - 1e-6).astype(int)
    size = int(width), int(height)
    center, image_center = (np.array(sides) / 2 - 0.5 for sides in (size, image_size))
    matrix[:2, 2] = center - matrix[:2, :2] @ image_center
    return matrix, size


def extract_view(
    extractor: NeuralExtractor, image: Image, mask: Bool[Tensor, "h w"] | None, view: View
) -> ViewFeatures:
    """Extract the features of a view.

    Args:
        extractor: Extractor.
        image: Image.
        mask: Mask of allowed keypoints in px of the image; None allows all.
        view: View of the image.
    """
    if view.is_exact:
        found = extractor.extract(rotate_image(image, view.rotation), rotate_mask(mask, view.rotation))
        return ViewFeatures(in_view=found, in_image=unrotate_features(found, view.rotation, image.image_size))
    if view.scale != 1 or view.tilt != 1:
        return _extract_affine(extractor, image, mask, view)
    return _extract_rotated(extractor, image, mask, view)


def _extract_affine(
    extractor: NeuralExtractor, image: Image, mask: Bool[Tensor, "h w"] | None, view: View
) -> ViewFeatures:
    transform = extractor.transform(image.image_size)
    matrix, size = view_from_image(view, transform.resized_size)
    warp = Warp(matrix @ resized_from_original(transform), size)
    found = extract_warp(extractor, image, mask, warp, str(view))
    assert found is not None, "the view contains the whole image"
    return found


def _extract_rotated(
    extractor: NeuralExtractor, image: Image, mask: Bool[Tensor, "h w"] | None, view: View
) -> ViewFeatures:
    transform = extractor.transform(image.image_size)
    matrix, size = view_from_image(view, transform.resized_size)
    allowed = exclude_border(mask, image.image_size, extractor.settings.border)
    small = torch.ones(transform.resized_size[::-1], dtype=torch.bool, device=image.pixels.device)
    small = exclude_border(
        small if allowed is None else resize_mask(allowed, transform), transform.resized_size, RENDERED_BORDER
    )
    assert small is not None
    pixels = render(transform.apply(image), matrix, size)
    is_inside = render(small[None].float(), matrix, size, mode="nearest")[0] > 0
    settings = replace(extractor.settings, resize=None, border=0)
    found = extractor.with_settings(settings).extract(Image(pixels=pixels.clamp_(0, 1)), is_inside)
    # in float64 on the CPU: Apple's GPUs have no float64
    inverse = torch.from_numpy(np.linalg.inv(matrix))
    keypoints = transform.to_original(found.keypoints.cpu().double() @ inverse[:2, :2].T + inverse[:2, 2])
    in_image = replace(
        found,
        keypoints=keypoints.to(found.keypoints.dtype).to(found.keypoints.device),
        orientations=None if found.orientations is None else found.orientations + math.radians(view.rotation),
        image_size=image.image_size,
        fingerprint=f"{extractor.fingerprint_with(mask)}-{view}",
        source=image.source,
        exif_orientation=image.exif_orientation,
    )
    return ViewFeatures(in_view=found, in_image=in_image)


def render(
    pixels: Float[Tensor, "c h w"],
    matrix: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    *,
    mode: str = "bicubic",
) -> Float[Tensor, "c H W"]:
    """Warp pixels by an affine map; pixels outside of the image are 0.

    Args:
        pixels: Pixels, shape (c, h, w).
        matrix: Affine map from px of the image to px of the result.
        size: Size (width, height) of the result in px.
        mode: Interpolation: "bicubic", "bilinear" or "nearest".
    """
    height, width = pixels.shape[1:]
    # grid_sample takes coordinates of the input in [-1, 1], with the edges of the outer pixels at -1 and 1
    normalized_from_px = np.diag([2 / width, 2 / height, 1.0])
    normalized_from_px[:2, 2] = 1 / width - 1, 1 / height - 1
    coordinates = torch.from_numpy(normalized_from_px @ np.linalg.inv(matrix))
    # in float64 on the CPU: Apple's GPUs have no float64
    x = torch.arange(size[0], dtype=torch.float64, device="cpu")
    y = torch.arange(size[1], dtype=torch.float64, device="cpu")
    row, column = coordinates[:2, 0], coordinates[:2, 1]
    grid = x[None, :, None] * row + y[:, None, None] * column + coordinates[:2, 2]  # (H, W, 2)
    grid = grid[None].to(pixels.dtype).to(pixels.device)
    return F.grid_sample(pixels[None], grid, mode=mode, padding_mode="zeros", align_corners=False)[0]
