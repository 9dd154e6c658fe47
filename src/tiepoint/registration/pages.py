"""Page of a registration: the matches, and a swipe overlay; of a deformed image, as it was resampled."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tiepoint.image.displacement import DisplacementField
from tiepoint.image.resampling import Resampler, warp_whole
from tiepoint.registration.alignment import Alignment
from tiepoint.registration.deformation import Deformation
from tiepoint.result import MatchResult
from tiepoint.types import Features, TwoViewEstimate


def write_page(path: Path, alignment: Alignment) -> None:
    """Write the page of a successful alignment.

    Args:
        path: Output path ending in .html.
        alignment: Alignment. With a deformation, image 0 is the moving image on the grid of the fixed one, and the
            matches are the control points.
    """
    images = alignment.moving.preview.pixels, alignment.fixed.preview.pixels
    if alignment.deformation is None:
        estimate = alignment.preview_estimate()
        alignment.result.save(path, estimate, image0=images[0], image1=images[1])
        return
    result, estimate = _aligned_result(alignment, alignment.deformation)
    result.save(path, estimate, image0=_aligned_preview(alignment, alignment.deformation), image1=images[1])


def _aligned_preview(alignment: Alignment, deformation: Deformation) -> np.ndarray:
    """Resample the preview of the moving image onto that of the fixed one."""
    moving, fixed = alignment.moving.preview, alignment.fixed.preview
    matrix = alignment.preview_estimate().matrix
    assert matrix is not None, "failures are not written"
    full = deformation.displacement
    displacement = DisplacementField(full.offsets / moving.factor, full.spacing / fixed.factor)
    pixels = moving.pixels if moving.pixels.ndim == 3 else moving.pixels[..., None]
    height, width = fixed.pixels.shape[:2]
    warped = warp_whole(Resampler(pixels, matrix, "linear", displacement=displacement), (width, height))
    if warped.is_inside.any():  # as dark as the darkest pixel, so that the contrast is kept
        warped.pixels[~warped.is_inside] = warped.pixels[warped.is_inside].min(axis=0)
    return warped.pixels if moving.pixels.ndim == 3 else warped.pixels[..., 0]


def _aligned_result(alignment: Alignment, deformation: Deformation) -> tuple[MatchResult, TwoViewEstimate]:
    """Return the control points, those of image 0 where the resampled image shows them, and the identity."""
    result, chosen, fixed = alignment.result, deformation.is_control_point, alignment.fixed.preview
    size, count = result.features1.image_size, int(chosen.sum())
    positions = [
        fixed.from_raster(each[chosen]) for each in (alignment.points_in_fixed, alignment.matches.points1)
    ]
    features = [
        _select(original, points, size, indices)
        for original, points, indices in zip(
            (result.features0, result.features1), positions, result.matches[chosen].T, strict=True
        )
    ]
    layers = np.full(count, result.layers_run)
    shown = replace(
        result.inliers(replace(alignment.estimate, inliers=chosen)),
        matches=np.stack([np.arange(count)] * 2, axis=1),
        features0=features[0],
        features1=features[1],
        prune0=layers,
        prune1=layers,
    )
    estimate = alignment.preview_estimate()
    inliers = np.linalg.norm(positions[0] - positions[1], axis=1) <= estimate.max_error_px
    return shown, replace(estimate, matrix=np.eye(3), inliers=inliers)


def _select(
    features: Features, positions: np.ndarray, size: tuple[int, int], indices: np.ndarray
) -> Features:
    """Return some keypoints at other positions, clipped to the image."""
    clipped = positions.clip(0, np.array(size) - 1.0).astype(np.float32)
    chosen = torch.from_numpy(indices)
    return Features(
        keypoints=torch.from_numpy(clipped),
        scores=features.scores.cpu()[chosen],
        descriptors=features.descriptors.cpu()[chosen],
        image_size=size,
        kind=features.kind,
        source=features.source,
    )
