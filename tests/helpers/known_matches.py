"""Matches with known ground truth."""

import math
from pathlib import Path

import numpy as np

from tiepoint.evaluation.ground_truth import (
    EvaluationPair,
    GroundTruth,
)
from tiepoint.evaluation.resized_coordinates import MatchedPair

ROTATION = np.array([[math.cos(0.2), 0, math.sin(0.2)], [0, 1, 0], [-math.sin(0.2), 0, math.cos(0.2)]])


POSE = np.column_stack([ROTATION, [1.0, 0.2, 0.1]])


K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def pair_of(truth: GroundTruth) -> EvaluationPair:
    return EvaluationPair(
        name="s/a-b", scene="s", image0=Path("a"), image1=Path("b"), truth=truth, tags={"gap": 2.0}
    )


def matched_points(
    points0: np.ndarray, points1: np.ndarray, size: tuple[int, int] = (640, 480)
) -> MatchedPair:
    """Return matches of all keypoints in order."""
    indices = np.arange(len(points0))
    return MatchedPair(
        keypoints0=points0,
        keypoints1=points1,
        matches=np.column_stack([indices, indices]),
        scores=np.ones(len(points0), np.float32),
        image_size0=size,
        image_size1=size,
        seconds={"extract": 1.5, "match": 0.5},
    )


def grid(count: int = 60) -> np.ndarray:
    return np.random.default_rng(1).uniform((20, 20), (600, 440), (count, 2))


def seen_from_two_cameras(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Return the projections of random 3D points in px of both images."""
    space = np.random.default_rng(2).uniform((-2, -2, 4), (2, 2, 9), (count, 3))
    images = [space @ K.T, (space @ POSE[:, :3].T + POSE[:, 3]) @ K.T]
    return images[0][:, :2] / images[0][:, 2:], images[1][:, :2] / images[1][:, 2:]
