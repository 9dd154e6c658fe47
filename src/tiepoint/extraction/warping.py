"""Warped views: features of an image under a homography, rendered from its original pixels and mapped back exactly.

The image is reduced with antialiasing to the largest scale at which the homography shows any part of it, and each pixel
of the view is the mean of several samples where the homography compresses it further in one direction. Keypoints are
mapped back by the inverse homography in float64; pixels of the view outside of the image hold none.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.image import Image, ImageTransform
from tiepoint.types import Features

# Width in px of the border of a rendered image in which keypoints are ignored: it sees the edge of the image
RENDERED_BORDER = 3

# Maximum number of samples of a pixel of a view along each axis
MAX_SAMPLES = 4

# Rows of an image at which the scale of a homography is measured, and columns
GRID = 9

# Samples that are computed at once: 12 bytes each
BAND_SAMPLES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewFeatures:
    """Features of a view.

    Attributes:
        in_view: Features in px of the view: networks match these, because they compare positions.
        in_image: The same features with positions and orientations in px of the image. Descriptors and scores remain
            those of the view, which the fingerprint records.
    """

    in_view: Features
    in_image: Features

    def __len__(self) -> int:
        return len(self.in_view)


@dataclass(frozen=True, eq=False)
class Warp:
    """A view of an image under a homography.

    Attributes:
        matrix: Homography from px of the image to px of the view.
        size: Size (width, height) of the view in px.
    """

    matrix: Float[np.ndarray, "3 3"]
    size: tuple[int, int]

    def scales(self, image_size: tuple[int, int]) -> tuple[float, float] | None:
        """Return the smallest and the largest scale in any direction, in px of the view per px of the image.

        Args:
            image_size: Size (width, height) of the image in px.

        Returns:
            Scales over the part of the image that the view shows; None if it shows none.
        """
        x, y = (np.linspace(0, side - 1, GRID) for side in self.size)
        view = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        inverse = np.linalg.inv(self.matrix)
        points = _warp_points(view, inverse)
        is_visible = _is_in_front(view, inverse, self.size)
        is_visible &= ((points > -0.5) & (points < np.array(image_size) - 0.5)).all(axis=1)
        if not is_visible.any():
            return None
        singular = np.linalg.svd(_jacobians_of(view[is_visible], inverse), compute_uv=False)
        return float(1 / singular.max()), float(1 / singular.min())


def extract_warp(
    extractor: NeuralExtractor, image: Image, mask: Bool[Tensor, "h w"] | None, warp: Warp, name: str
) -> ViewFeatures | None:
    """Extract the features of a warped view.

    Args:
        extractor: Extractor; its `resize` is not applied.
        image: Image.
        mask: Mask of allowed keypoints in px of the image; None allows all.
        warp: View of the image.
        name: Name of the view, for the fingerprint of its features.

    Returns:
        Features; None if the view does not show the image.
    """
    scales = warp.scales(image.image_size)
    if scales is None:
        return None
    reduction = min(1.0, scales[1])
    resized = tuple(max(1, math.ceil(reduction * side)) for side in image.image_size)
    transform = ImageTransform(image.image_size, (resized[0], resized[1]))
    matrix = warp.matrix @ np.linalg.inv(resized_from_original(transform))
    samples = min(MAX_SAMPLES, max(1, math.ceil(reduction / scales[0] - 0.25)))
    pixels = render_homography(transform.apply(image), matrix, warp.size, samples=samples)
    settings = replace(extractor.settings, resize=None, border=0)
    allowed = _visible(extractor, image, mask, transform, matrix, warp.size)
    found = extractor.with_settings(settings).extract(Image(pixels=pixels.clamp_(0, 1)), allowed)
    in_image = replace(
        unwarp_features(found, warp.matrix, image.image_size),
        fingerprint=f"{extractor.fingerprint_with(mask)}-{name}",
        source=image.source,
        exif_orientation=image.exif_orientation,
    )
    return ViewFeatures(in_view=found, in_image=in_image)


def unwarp_features(
    features: Features, matrix: Float[np.ndarray, "3 3"], image_size: tuple[int, int]
) -> Features:
    """Map keypoints, their covariances, scales and orientations to the image; descriptors and scores remain.

    Args:
        features: Features of the view.
        matrix: Homography from px of the image to px of the view.
        image_size: Size (width, height) of the image in px.
    """
    inverse = np.linalg.inv(matrix)
    view = features.keypoints.cpu().double().numpy()
    jacobians = _jacobians_of(view, inverse)
    like = features.keypoints
    scales = orientations = covariances = None
    if features.covariances is not None:
        factors = torch.from_numpy(jacobians).to(features.covariances.dtype).to(like.device)
        covariances = factors @ features.covariances @ factors.transpose(1, 2)
    if features.scales is not None:
        factors = np.sqrt(np.abs(np.linalg.det(jacobians)))
        scales = features.scales * torch.from_numpy(factors).to(features.scales.dtype).to(like.device)
    if features.orientations is not None:
        angles = features.orientations.cpu().double().numpy()
        directions = np.einsum("nij,nj->ni", jacobians, np.stack((np.cos(angles), np.sin(angles)), axis=1))
        found = torch.from_numpy(np.arctan2(directions[:, 1], directions[:, 0]))
        orientations = found.to(features.orientations.dtype).to(like.device)
    keypoints = torch.from_numpy(_warp_points(view, inverse)).to(like.dtype).to(like.device)
    return replace(
        features,
        keypoints=keypoints,
        scales=scales,
        orientations=orientations,
        covariances=covariances,
        image_size=image_size,
    )


def render_homography(
    pixels: Float[Tensor, "c h w"],
    matrix: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    *,
    samples: int = 1,
    mode: str = "bicubic",
) -> Float[Tensor, "c H W"]:
    """Warp pixels by a homography; pixels outside of the image are 0.

    Args:
        pixels: Pixels, shape (c, h, w).
        matrix: Homography from px of the image to px of the result.
        size: Size (width, height) of the result in px.
        samples: Number of samples of a pixel along each axis, whose mean it is.
        mode: Interpolation: "bicubic", "bilinear" or "nearest".
    """
    height, width = pixels.shape[1:]
    # grid_sample takes coordinates of the input in [-1, 1], with the edges of the outer pixels at -1 and 1
    normalized_from_px = np.diag([2 / width, 2 / height, 1.0])
    normalized_from_px[:2, 2] = 1 / width - 1, 1 / height - 1
    inverse = normalized_from_px @ np.linalg.inv(matrix)
    parts: list[Tensor] = []
    for grid in _grids(inverse, size, samples):  # (rows * samples, W * samples, 2)
        found = F.grid_sample(
            pixels[None],
            grid[None].to(pixels.dtype).to(pixels.device),
            mode=mode,
            padding_mode="zeros",
            align_corners=False,
        )
        parts.append(F.avg_pool2d(found, samples)[0] if samples > 1 else found[0])
    return torch.cat(parts, dim=1)


def _grids(
    inverse: Float[np.ndarray, "3 3"], size: tuple[int, int], samples: int
) -> Iterator[Float[Tensor, "rows columns 2"]]:
    """Yield the coordinates of the samples in bands of rows; those behind the camera are far outside of the image."""
    width, height = size
    rows = max(1, BAND_SAMPLES // (width * samples * samples))
    x = (np.arange(width * samples) + 0.5) / samples - 0.5
    in_front = np.sign(inverse[2] @ (width / 2 - 0.5, height / 2 - 0.5, 1))
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        y = (np.arange(start * samples, stop * samples) + 0.5) / samples - 0.5
        points = x[None, :, None] * inverse[:, 0] + y[:, None, None] * inverse[:, 1] + inverse[:, 2]
        depth = points[..., 2:]
        is_behind = depth * in_front <= 1e-9
        coordinates = np.where(is_behind, 2.0**10, points[..., :2] / np.where(is_behind, 1.0, depth))
        yield torch.from_numpy(coordinates.clip(-(2.0**10), 2.0**10))


def _visible(
    extractor: NeuralExtractor,
    image: Image,
    mask: Bool[Tensor, "h w"] | None,
    transform: ImageTransform,
    matrix: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> Bool[Tensor, "H W"]:
    """Mask of the view: pixels that show allowed pixels of the image, away from its edge."""
    allowed = exclude_border(mask, image.image_size, extractor.settings.border)
    resized = torch.ones(transform.resized_size[::-1], dtype=torch.bool, device=image.pixels.device)
    resized = resized if allowed is None else resize_mask(allowed, transform)
    resized = exclude_border(resized, transform.resized_size, RENDERED_BORDER)
    assert resized is not None
    return render_homography(resized[None].float(), matrix, size, mode="nearest")[0] > 0


def resized_from_original(transform: ImageTransform) -> Float[np.ndarray, "3 3"]:
    """Return the affine map from px of an image to px of the resized image."""
    scale_x, scale_y = transform.scale
    return np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5], [0, 0, 1.0]])


def _warp_points(
    points: Float[np.ndarray, "n 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2"]:
    """Apply a homography to points; points on the line at infinity are not finite."""
    projected = np.column_stack([points, np.ones(len(points))]) @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return projected[:, :2] / projected[:, 2:]


def _jacobians_of(
    points: Float[np.ndarray, "n 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2 2"]:
    """Derivatives of a homography at points."""
    projected = np.column_stack([points, np.ones(len(points))]) @ homography.T  # (n, 3)
    warped, depth = projected[:, :2] / projected[:, 2:], projected[:, 2, None, None]
    return (homography[None, :2, :2] - warped[:, :, None] * homography[None, 2:, :2]) / depth


def _is_in_front(
    points: Float[np.ndarray, "n 2"], homography: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> Bool[np.ndarray, "n"]:
    """Return whether a homography maps points to the same side as the center of the view."""
    depth = points @ homography[2, :2] + homography[2, 2]
    center = homography[2] @ (size[0] / 2 - 0.5, size[1] / 2 - 0.5, 1)
    return depth * np.sign(center) > 0
