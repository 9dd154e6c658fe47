"""Pairs of images with exact matches, for tests of cameras without pixels."""

from collections.abc import Sequence

import numpy as np
import torch

from tiepoint.result import MatchResult
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.pair_matches import PairMatch, check_pair
from tiepoint.types import Assignment, Features

SIZE = (640, 480)


def matched_pair(
    points0: np.ndarray, points1: np.ndarray, index0: int = 0, index1: int = 1, size: tuple[int, int] = SIZE
) -> PairMatch:
    """Match points with each other, and check the pair."""
    count = len(points0)
    features = [
        Features(
            keypoints=torch.from_numpy(points).float(),
            scores=torch.ones(count),
            descriptors=torch.ones(count, 4),
            image_size=size,
        )
        for points in (points0, points1)
    ]
    matches = Assignment(
        matches=torch.arange(count)[:, None].expand(-1, 2),
        scores=torch.ones(count),
        matching_scores0=torch.ones(count),
        matching_scores1=torch.ones(count),
        prune0=torch.ones(count, dtype=torch.int64),
        prune1=torch.ones(count, dtype=torch.int64),
    )
    return check_pair(MatchResult.from_assignment(*features, matches), index0, index1, 3.0)


def homography_pair(H: np.ndarray, index0: int = 0, index1: int = 1, count: int = 120) -> PairMatch:
    """Match random points of image 0 with where a homography maps them, if that is in image 1."""
    points0 = np.random.default_rng(index0 + 31 * index1).uniform((0, 0), SIZE, (20 * count, 2))
    rays = np.column_stack([points0, np.ones(len(points0))]) @ H.T
    points1 = rays[:, :2] / rays[:, 2:]
    inside = (rays[:, 2] > 0) & (points1 >= 0).all(axis=1) & (points1 < SIZE).all(axis=1)
    return matched_pair(points0[inside][:count], points1[inside][:count], index0, index1)


def rotated_homography(
    rotation0: np.ndarray, rotation1: np.ndarray, focal_px: float, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """Homography from image 0 to image 1 of cameras world_from_cam with one focal length."""
    K = np.array([[focal_px, 0, (size[0] - 1) / 2], [0, focal_px, (size[1] - 1) / 2], [0, 0, 1.0]])
    return K @ rotation1.T @ rotation0 @ np.linalg.inv(K)


def inputs_for(pairs: Sequence[PairMatch]) -> list[StitchInput]:
    """Images of pairs, without pixels."""
    features = {pair.index0: pair.result.features0 for pair in pairs} | {
        pair.index1: pair.result.features1 for pair in pairs
    }
    return [
        StitchInput(
            index=index,
            name=f"image {index}",
            image_size=SIZE,
            features=features[index],
            thumbnail=np.zeros((48, 64, 3), dtype=np.uint8),
            is_gray=False,
        )
        for index in sorted(features)
    ]
