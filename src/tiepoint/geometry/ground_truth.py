"""Ground-truth matches of two images, from a homography or from projected keypoints.

Every keypoint is labeled as matched, unmatched or ignored. Training learns from all three labels; the metrics use the
matches alone.

Source of the labels and thresholds: LightGlue (arXiv 2306.13643), section 4 and appendix B.
"""

# pyright: reportUnknownMemberType=false
# The stubs of torch are partial.

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.geometry.multiview import warp_points

UNMATCHED = -1
"""Label of a keypoint that has no match in the other image."""

IGNORED = -2
"""Label of a keypoint whose match is unknown or ambiguous; it does not contribute to the loss."""

POSITIVE_PX = 3.0
"""Maximum reprojection error of a match, in both images."""

NEGATIVE_PX = 5.0
"""With measured depth: a keypoint is unmatched if no keypoint is within this distance of its projection."""

EPIPOLAR_PX = 5.0
"""Maximum distance between a keypoint and the epipolar line of its match."""

BLOCK_SIZE = 1024
"""Keypoints of image 0 whose distances to all keypoints of image 1 are in memory at the same time."""


class GroundTruth(NamedTuple):
    """Labels of the keypoints of both images.

    Attributes:
        matches0: For each keypoint of image 0, the index of its match in image 1, `UNMATCHED` or `IGNORED`.
        matches1: For each keypoint of image 1, the index of its match in image 0, `UNMATCHED` or `IGNORED`.
    """

    matches0: Int[Tensor, "m"]
    matches1: Int[Tensor, "n"]


def ground_truth_matches(
    keypoints0: Float[np.ndarray, "m 2"],
    keypoints1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = POSITIVE_PX,
) -> Int[np.ndarray, "k 2"]:
    """Return the ground-truth matches under a homography: mutual nearest neighbors by reprojection error.

    Args:
        keypoints0: Keypoints (x, y) of image 0 in px.
        keypoints1: Keypoints (x, y) of image 1 in px.
        homography: Ground-truth homography, p1 ~ H p0.
        max_error_px: Maximum reprojection error in px; the larger of the errors in the two images counts.

    Returns:
        Index pairs (into keypoints0, into keypoints1), in ascending order of the first index. Ties go to the lower
        index.
    """
    truth = ground_truth_from_homography(
        torch.from_numpy(np.asarray(keypoints0, np.float64)),
        torch.from_numpy(np.asarray(keypoints1, np.float64)),
        homography,
        max_error_px=max_error_px,
    )
    (indices0,) = (truth.matches0 >= 0).nonzero(as_tuple=True)
    return torch.stack((indices0, truth.matches0[indices0]), dim=1).numpy()


def ground_truth_from_homography(
    keypoints0: Float[Tensor, "m 2"],
    keypoints1: Float[Tensor, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = POSITIVE_PX,
) -> GroundTruth:
    """Label the keypoints of two images of a plane.

    Matches are mutual nearest neighbors whose reprojection error, the larger one of the two images, is below
    `max_error_px`. A keypoint is unmatched if the other image has no keypoint that close to its projection. All other
    keypoints are ignored: the keypoint near their projection matches another one better.

    Args:
        keypoints0: Keypoints (x, y) of image 0 in px.
        keypoints1: Keypoints (x, y) of image 1 in px.
        homography: Ground-truth homography, p1 ~ H p0.
        max_error_px: Maximum reprojection error of a match in px.
    """
    projected0 = _project(keypoints0, homography)
    projected1 = _project(keypoints1, np.linalg.inv(homography))
    return ground_truth_from_projections(
        keypoints0, keypoints1, projected0, projected1, positive_px=max_error_px, negative_px=max_error_px
    )


def ground_truth_from_projections(
    keypoints0: Float[Tensor, "m 2"],
    keypoints1: Float[Tensor, "n 2"],
    projected0: Float[Tensor, "m 2"],
    projected1: Float[Tensor, "n 2"],
    *,
    positive_px: float = POSITIVE_PX,
    negative_px: float = NEGATIVE_PX,
    possible: Bool[Tensor, "m n"] | None = None,
) -> GroundTruth:
    """Label keypoints some of which have a known projection into the other image.

    Args:
        keypoints0: Keypoints (x, y) of image 0 in px.
        keypoints1: Keypoints (x, y) of image 1 in px.
        projected0: Projections of keypoints0 into image 1 in px, possibly outside it; NaN if unknown.
        projected1: Projections of keypoints1 into image 0 in px, possibly outside it; NaN if unknown.
        positive_px: Matches are mutual nearest neighbors with errors below this in both images; both projections must
            be known.
        negative_px: A keypoint with a known projection is unmatched if no keypoint is within this distance of it.
        possible: False where epipolar geometry rules a match out. A keypoint with an unknown projection is unmatched
            if every candidate is ruled out or already labeled. None: such keypoints are ignored.
    """
    nearest = _nearest_neighbors(keypoints0, keypoints1, projected0, projected1)
    matches0, matches1 = nearest.mutual(positive_px)
    known0, known1 = (~projected.isnan().any(1) for projected in (projected0, projected1))
    matches0[known0 & (nearest.distances0 >= negative_px)] = UNMATCHED
    matches1[known1 & (nearest.distances1 >= negative_px)] = UNMATCHED
    if possible is not None:
        undecided = possible & (matches0 == IGNORED)[:, None] & (matches1 == IGNORED)[None]
        matches0[(matches0 == IGNORED) & ~known0 & ~undecided.any(1)] = UNMATCHED
        matches1[(matches1 == IGNORED) & ~known1 & ~undecided.any(0)] = UNMATCHED
    return GroundTruth(matches0, matches1)


def no_matches(m: int, n: int) -> GroundTruth:
    """Return the labels of two images without overlap: all keypoints are unmatched."""
    return GroundTruth(_labels(m, UNMATCHED), _labels(n, UNMATCHED))


def mutual_nearest(distances: Float[Tensor, "m n"], max_px: float) -> GroundTruth:
    """Match mutual nearest neighbors closer than `max_px`; other points are ignored. Ties go to the lower index."""
    m, n = distances.shape
    if not (m and n):
        return GroundTruth(_labels(m, IGNORED), _labels(n, IGNORED))
    errors0, indices0 = distances.min(1)
    return _keep_mutual(indices0, errors0, distances.argmin(0), max_px)


def pairwise_distances(points0: Float[Tensor, "m 2"], points1: Float[Tensor, "n 2"]) -> Float[Tensor, "m n"]:
    """Return Euclidean distances in float64; inf where a point is unknown or at infinity."""
    # without matrix products: small differences of large squares lose precision
    distances = torch.cdist(points0.double(), points1.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return distances.nan_to_num(nan=torch.inf, posinf=torch.inf)


class _Nearest(NamedTuple):
    """Nearest neighbors by reprojection error, the larger one of both images, and by the distance in each image.

    Attributes:
        indices0: Nearest neighbor in image 1 of each keypoint of image 0.
        errors0: Reprojection error of that neighbor in px.
        indices1: Nearest neighbor in image 0 of each keypoint of image 1.
        distances0: Distance in image 1 from each projected keypoint of image 0 to the closest keypoint.
        distances1: Distance in image 0 from each projected keypoint of image 1 to the closest keypoint.
    """

    indices0: Int[Tensor, "m"]
    errors0: Float[Tensor, "m"]
    indices1: Int[Tensor, "n"]
    distances0: Float[Tensor, "m"]
    distances1: Float[Tensor, "n"]

    def mutual(self, max_px: float) -> GroundTruth:
        return _keep_mutual(self.indices0, self.errors0, self.indices1, max_px)


def _nearest_neighbors(
    keypoints0: Tensor, keypoints1: Tensor, projected0: Tensor, projected1: Tensor
) -> _Nearest:
    m, n = len(keypoints0), len(keypoints1)
    indices0, indices1 = (torch.zeros(count, dtype=torch.int64, device="cpu") for count in (m, n))
    errors0, errors1, distances0, distances1 = (
        torch.full((count,), torch.inf, dtype=torch.float64, device="cpu") for count in (m, n, m, n)
    )
    for rows, in_image0, in_image1 in _distance_blocks(keypoints0, keypoints1, projected0, projected1):
        errors = torch.maximum(in_image0, in_image1)
        errors0[rows], indices0[rows] = errors.min(1)
        best, index = errors.min(0)
        closer = best < errors1
        errors1[closer], indices1[closer] = best[closer], rows.start + index[closer]
        distances0[rows] = in_image1.amin(1)
        distances1 = torch.minimum(distances1, in_image0.amin(0))
    return _Nearest(indices0, errors0, indices1, distances0, distances1)


def _distance_blocks(
    keypoints0: Tensor, keypoints1: Tensor, projected0: Tensor, projected1: Tensor
) -> Iterator[tuple[slice, Float[Tensor, "b n"], Float[Tensor, "b n"]]]:
    """Rows of image 0, and their distances to all keypoints of image 1, measured in image 0 and in image 1."""
    for start in range(0, len(keypoints0) if len(keypoints1) else 0, BLOCK_SIZE):
        rows = slice(start, start + BLOCK_SIZE)
        yield (
            rows,
            pairwise_distances(keypoints0[rows], projected1),
            pairwise_distances(projected0[rows], keypoints1),
        )


def _labels(count: int, label: int) -> Int[Tensor, "n"]:
    return torch.full((count,), label, dtype=torch.int64, device="cpu")


def _keep_mutual(indices0: Tensor, errors0: Tensor, indices1: Tensor, max_px: float) -> GroundTruth:
    """Keep pairs that are each other's nearest neighbor with an error below `max_px`."""
    m, n = len(indices0), len(indices1)
    matches0, matches1 = _labels(m, IGNORED), _labels(n, IGNORED)
    if n:
        rows = torch.arange(m, dtype=torch.int64, device="cpu")
        mutual = (indices1[indices0] == rows) & (errors0 < max_px)
        matches0[mutual] = indices0[mutual]
        matches1[indices0[mutual]] = rows[mutual]
    return GroundTruth(matches0, matches1)


def _project(keypoints: Tensor, homography: np.ndarray) -> Float[Tensor, "n 2"]:
    """Warp keypoints; points at infinity become inf, since NaN would mean an unknown projection."""
    warped = torch.from_numpy(warp_points(keypoints.double().numpy(), homography))
    return warped.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)
