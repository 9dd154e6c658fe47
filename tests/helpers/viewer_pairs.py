"""A pair with known matches and geometry, and the page that shows it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features, TwoViewEstimate

SIZE = (400, 300)
SHIFT = (8.0, -5.0)  # px, from image 0 to image 1
HOMOGRAPHY = np.array([[1, 0, SHIFT[0]], [0, 1, SHIFT[1]], [0, 0, 1.0]])
FUNDAMENTAL = np.array([[0, 0, 0], [0, 0, -1.0], [0, 1, SHIFT[1]]]) / np.hypot(np.sqrt(2), SHIFT[1])
"""Corresponding points are on the same row, apart from the shift."""
RED, BLUE = (200, 40, 30), (30, 60, 210)
LAYERS = 9
COLUMNS, ROWS = 10, 6


def shifted_pair(source0: str | None = "a.jpg", source1: str | None = "b.jpg") -> MatchResult:
    """Match 60 points of a grid; the last six are outliers, and 20 keypoints per image have no match."""
    x, y = np.meshgrid(np.linspace(40, 340, COLUMNS), np.linspace(40, 260, ROWS))
    points0 = np.column_stack([x.ravel(), y.ravel()])
    points1 = points0 + SHIFT
    points1[-6:, 1] -= 20
    lonely = np.column_stack([np.linspace(20, 380, 20), np.full(20, 150.0)])
    prune = torch.tensor([LAYERS] * len(points0) + [1 + k % LAYERS for k in range(20)])
    count = len(points0)
    assignment = Assignment(
        matches=torch.arange(count)[:, None].expand(-1, 2).contiguous(),
        scores=torch.linspace(1, 0.2, count),
        matching_scores0=torch.ones(count + 20),
        matching_scores1=torch.ones(count + 20),
        prune0=prune,
        prune1=prune,
        layers_run=LAYERS,
    )
    return MatchResult.from_assignment(
        features_at(np.concatenate([points0, lonely]), source0),
        features_at(np.concatenate([points1, lonely]), source1),
        assignment,
    )


def empty_pair(keypoints: int = 0) -> MatchResult:
    """Pair without matches, with the given number of keypoints per image."""
    points = np.column_stack([np.linspace(10, 390, keypoints), np.full(keypoints, 100.0)])
    assignment = Assignment(
        matches=torch.zeros(0, 2, dtype=torch.int64),
        scores=torch.zeros(0),
        matching_scores0=torch.zeros(keypoints),
        matching_scores1=torch.zeros(keypoints),
        prune0=torch.ones(keypoints, dtype=torch.int64),
        prune1=torch.ones(keypoints, dtype=torch.int64),
        layers_run=2 if keypoints else 0,
    )
    return MatchResult.from_assignment(features_at(points), features_at(points), assignment)


def features_at(points: np.ndarray, source: str | None = None, size: tuple[int, int] = SIZE) -> Features:
    return Features(
        keypoints=torch.from_numpy(points.astype(np.float32).reshape(-1, 2)),
        scores=torch.ones(len(points)),
        descriptors=torch.ones(len(points), 1),
        image_size=size,
        source=source,
    )


def images() -> tuple[np.ndarray, np.ndarray]:
    """A red and a blue image."""
    width, height = SIZE
    return tuple(np.full((height, width, 3), color, np.uint8) for color in (RED, BLUE))  # type: ignore[return-value]


def estimate_of(kind: str = "homography", matrix: np.ndarray = HOMOGRAPHY) -> TwoViewEstimate:
    """Estimate of `shifted_pair`: all but the last six matches are inliers."""
    inliers = np.ones(COLUMNS * ROWS, bool)
    inliers[-6:] = False
    return TwoViewEstimate(
        kind=kind,  # type: ignore[arg-type]
        matrix=matrix,
        inliers=inliers,
        method="poselib",
        max_error_px=3.0,
    )


def save_pair(path: Path, **options: Any) -> Path:
    """Write the page of `shifted_pair` with a fundamental matrix and a homography."""
    image0, image1 = images()
    fundamental = estimate_of("fundamental", FUNDAMENTAL)
    result = shifted_pair(**options)
    return result.save(path, fundamental, homography=estimate_of(), image0=image0, image1=image1)
