"""Which keypoints show the same physical point, given the true homography."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from tiepoint.geometry.multiview import warp_points

BLOCK = 1024
"""Keypoints of image 0 whose distances to all those of image 1 are in memory at a time."""


def ground_truth_matches(
    keypoints0: Float[np.ndarray, "m 2"],
    keypoints1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = 3.0,
) -> Int[np.ndarray, "k 2"]:
    """The keypoints that show the same physical point: mutual nearest neighbors under the true homography.

    Args:
        keypoints0: (x, y) in px.
        keypoints1: likewise, of image 1.
        homography: the truth, p1 ~ H p0.
        max_error_px: how far apart partners may be; the distance is the larger one of those in the two images.

    Returns:
        Index pairs (into keypoints0, into keypoints1), by rising index of image 0. Of several nearest
        neighbors at one distance, the one with the lowest index counts.

    Source: LightGlue (arXiv 2306.13643), section 4 (ground truth from homographies, 3 px).
    """
    if len(keypoints0) == 0 or len(keypoints1) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    nearest0, errors0 = [], []
    nearest1, errors1 = np.zeros(len(keypoints1), dtype=np.int64), np.full(len(keypoints1), np.inf)
    for start, errors in _blocks(keypoints0, keypoints1, homography):
        nearest0.append(errors.argmin(axis=1))
        errors0.append(errors.min(axis=1))
        closer = errors.min(axis=0) < errors1
        nearest1[closer] = start + errors.argmin(axis=0)[closer]
        errors1[closer] = errors.min(axis=0)[closer]
    indices0, partners = np.arange(len(keypoints0)), np.concatenate(nearest0)
    kept = (nearest1[partners] == indices0) & (np.concatenate(errors0) < max_error_px)
    return np.column_stack([indices0[kept], partners[kept]])


def _blocks(
    keypoints0: Float[np.ndarray, "m 2"],
    keypoints1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
) -> Iterator[tuple[int, np.ndarray]]:
    """First index of image 0, and the larger one of the distances in the two images, block by block."""
    warped0, warped1 = warp_points(keypoints0, homography), warp_points(keypoints1, np.linalg.inv(homography))
    for start in range(0, len(keypoints0), BLOCK):
        rows = slice(start, start + BLOCK)
        forward, backward = _distances(warped0[rows], keypoints1), _distances(keypoints0[rows], warped1)
        yield start, np.maximum(forward, backward)


def _distances(points0: Float[np.ndarray, "m 2"], points1: Float[np.ndarray, "n 2"]) -> np.ndarray:
    """All pairs; inf where a point lies at infinity."""
    with np.errstate(invalid="ignore"):
        offsets = points0[:, None].astype(np.float64) - points1[None]
    return np.nan_to_num(np.hypot(offsets[..., 0], offsets[..., 1]), nan=np.inf, posinf=np.inf)
