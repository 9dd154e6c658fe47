"""Selection of the matches that a drawing shows: spread out over image 0, the highest scores first."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from tiepoint.errors import InvalidInput

MAX_LINES = 60
"""Default number of lines in a drawing: as many as can be told apart."""

MIN_SHARE = 0.2
"""Minimum fraction of the lines that inliers and outliers each get if there are enough, so that both can be seen."""


def spread_out(
    points: Float[np.ndarray, "k 2"], scores: Float[np.ndarray, "k"], max_lines: int | None
) -> Int[np.ndarray, "m"]:
    """Select points that are distributed over the image.

    The bounding box of the points is divided into as many cells as lines; the best points of all cells come first, then
    the second best, and so on.

    Args:
        points: Points (x, y) in px.
        scores: Scores of the points.
        max_lines: Maximum number of points; None selects all.

    Returns:
        Indices by ascending score, so that the best matches are drawn on top.

    Raises:
        InvalidInput: If `max_lines` is negative.
    """
    if max_lines is not None and max_lines < 0:
        raise InvalidInput(f"max_lines: expected an integer of at least 0, or None, got {max_lines}")
    by_score = np.argsort(-scores, kind="stable")
    if max_lines is None or len(points) <= max_lines:
        return by_score[::-1]
    ranks = _ranks_in_cells(_cells(points[by_score], max(max_lines, 1)))
    chosen = np.argsort(ranks, kind="stable")[:max_lines]
    return by_score[np.sort(chosen)][::-1]


def spread_out_inliers(
    points: Float[np.ndarray, "k 2"],
    scores: Float[np.ndarray, "k"],
    inliers: Bool[np.ndarray, "k"],
    max_lines: int | None,
) -> Int[np.ndarray, "m"]:
    """Select inliers and outliers that are distributed over the image, outliers first.

    They are drawn in proportion to their numbers, but each gets at least `MIN_SHARE` of the lines if there are enough.

    Args:
        points: Points (x, y) in px.
        scores: Scores of the points.
        inliers: Whether each point is an inlier.
        max_lines: Maximum number of points; None selects all.

    Raises:
        InvalidInput: If `max_lines` is negative.
    """
    parts = [np.flatnonzero(~inliers), np.flatnonzero(inliers)]
    limits = _limits(len(parts[0]), len(parts[1]), max_lines)
    return np.concatenate(
        [
            part[spread_out(points[part], scores[part], limit)]
            for part, limit in zip(parts, limits, strict=True)
        ]
    )


def _limits(outliers: int, inliers: int, max_lines: int | None) -> tuple[int | None, int | None]:
    """Return the maximum numbers of outliers and inliers to draw."""
    total = outliers + inliers
    if max_lines is None or max_lines < 0 or total <= max_lines:
        return max_lines, max_lines
    share = math.ceil(MIN_SHARE * max_lines)
    low, high = min(outliers, share), max_lines - min(inliers, share)
    drawn = min(max(round(max_lines * outliers / total), low), high)
    return drawn, max_lines - drawn


def _cells(points: Float[np.ndarray, "k 2"], count: int) -> Int[np.ndarray, "k"]:
    """Return the cell of each point, of about `count` square cells of the bounding box."""
    low = points.min(axis=0)
    extent = np.maximum(points.max(axis=0) - low, 1e-9)
    side = max(math.sqrt(extent.prod() / count), extent.max() / count)
    counts = np.maximum(np.rint(extent / side).astype(np.int64), 1)
    columns, rows = np.minimum(((points - low) / side).astype(np.int64), counts - 1).T
    return rows * counts[0] + columns


def _ranks_in_cells(cells: Int[np.ndarray, "k"]) -> Int[np.ndarray, "k"]:
    """Return how many earlier entries each cell has."""
    order = np.argsort(cells, kind="stable")
    grouped = cells[order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    ranks = np.empty(len(cells), np.int64)
    ranks[order] = np.arange(len(cells)) - np.repeat(starts, np.diff(np.r_[starts, len(cells)]))
    return ranks
