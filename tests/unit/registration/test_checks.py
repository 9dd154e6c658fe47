"""Alignments that are not written, each with its reason."""

import numpy as np
import pytest

from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.registration.checks import reason_not_aligned, reason_not_warpable
from tiepoint.types import TwoViewEstimate

SIZE = (200, 100)
SAME = PairVerification(same_scene=True, probability=0.9, reason="100 inliers", num_inliers=100)
DIFFERENT = PairVerification(same_scene=False, probability=0.1, reason="few inliers", num_inliers=8)


def estimate(matrix: np.ndarray | None) -> TwoViewEstimate:
    return TwoViewEstimate(
        kind="homography",
        matrix=matrix,
        inliers=np.zeros(4, bool) if matrix is None else np.ones(4, bool),
        method="poselib",
        max_error_px=3.0,
        reason="no consensus" if matrix is None else "",
    )


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.eye(3), ""),
        (np.array([[0.0, -1, 100], [1, 0, 0], [0, 0, 1]]), ""),
        (-np.eye(3), ""),
        (np.diag([-1.0, 1, 1]), "mirror image"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]]), "crosses the horizon"),
        (np.diag([1e-3, 1e-3, 1]), "scale of 0.001 is implausible"),
        (np.diag([1e3, 1e3, 1]), "scale of 1e+03 is implausible"),
    ],
)
def test_homographies(matrix: np.ndarray, reason: str):
    found = reason_not_warpable(matrix, SIZE)
    assert reason in found
    assert bool(found) == bool(reason)


def test_different_scenes_and_failures():
    assert reason_not_aligned(estimate(np.eye(3)), SAME, SIZE) == ""
    assert "few inliers" in reason_not_aligned(estimate(np.eye(3)), DIFFERENT, SIZE)
    assert "no consensus" in reason_not_aligned(estimate(None), SAME, SIZE)
    assert reason_not_aligned(estimate(np.eye(3)), None, SIZE) == ""
