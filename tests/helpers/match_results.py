"""A small MatchResult with known matches, and estimates of it."""

from typing import Any

import numpy as np
import torch

from tiepoint.types import Assignment, Features, TwoViewEstimate

SIZE0, SIZE1 = (40, 30), (50, 20)
MATCHES = [[0, 3], [2, 0], [4, 1]]
SCORES = [0.25, 0.5, 1.0]
HOMOGRAPHY = np.array([[1.0, 0, 2], [0, 1, 3], [0, 0, 1]])
RECTIFIED = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SECONDS = {"read": 0.25, "extract": 0.5, "match": 0.125}


def some_features(count: int, size: tuple[int, int], source: str | None = None) -> Features:
    generator = torch.Generator().manual_seed(count)
    return Features(
        keypoints=torch.rand(count, 2, generator=generator) * (torch.tensor(size) - 1),
        scores=torch.linspace(1, 0.5, count),
        descriptors=torch.nn.functional.normalize(torch.randn(count, 8, generator=generator), dim=1),
        image_size=size,
        kind="test@0123",
        source=source,
        exif_orientation=6,
    )


def some_matches(m: int, n: int, matches: list[list[int]], scores: list[float]) -> Assignment:
    return Assignment(
        matches=torch.tensor(matches, dtype=torch.int64).reshape(-1, 2),
        scores=torch.tensor(scores),
        matching_scores0=torch.zeros(m),
        matching_scores1=torch.zeros(n),
        prune0=torch.arange(m) + 2,
        prune1=torch.arange(n) + 1,
        layers_run=7,
    )


def an_estimate(
    inliers: list[bool], kind: str = "homography", matrix: np.ndarray | None = HOMOGRAPHY, **others: Any
) -> TwoViewEstimate:
    return TwoViewEstimate(
        kind=kind,  # type: ignore[arg-type]
        matrix=matrix,
        inliers=np.array(inliers),
        method="poselib",
        max_error_px=2.5,
        reason="" if matrix is not None else "got 3 matches",
        **others,
    )
