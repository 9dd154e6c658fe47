"""Rotations and focal lengths from exact matches."""

from itertools import combinations

import numpy as np
import pytest
from benchmarks.panorama.scenes import align_rotations, angle_deg, rotation
from tests.helpers.stitch_pairs import homography_pair, inputs_for, rotated_homography

from tiepoint.stitching.rotations import estimate_rotations

FOCAL_PX = 600.0
TRUE = [rotation(yaw, pitch, roll) for yaw, pitch, roll in ((0, 0, 0), (20, 5, 3), (40, -5, -2), (22, 24, 1))]


def true_pairs() -> list:
    pairs = [
        homography_pair(rotated_homography(TRUE[i], TRUE[j], FOCAL_PX), i, j)
        for i, j in combinations(range(4), 2)
    ]
    return [pair for pair in pairs if not pair.reason]


def check(views: list, tolerance_deg: float) -> None:
    found = [view.world_from_cam for view in views]
    aligned = align_rotations(found, TRUE)
    assert max(angle_deg(aligned @ f, t) for f, t in zip(found, TRUE, strict=True)) < tolerance_deg
    assert [view.focal_px for view in views] == pytest.approx([FOCAL_PX] * 4, rel=1e-2)


def test_known_rotations() -> None:
    pairs = true_pairs()
    assert len(pairs) >= 5
    check(estimate_rotations(inputs_for(pairs), pairs), 0.02)


def test_a_false_pair_has_no_influence() -> None:
    """OpenCV's bundle adjustment spreads its error over all images."""
    false = homography_pair(np.array([[1.0, 0.02, -150], [0, 1, 80], [0, 0, 1]]), 0, 2, count=40)
    assert not false.reason
    pairs = [*true_pairs(), false]
    pairs = [pair for pair in pairs if pair.indices != (0, 2) or pair is false]
    check(estimate_rotations(inputs_for(pairs), pairs), 0.05)
