"""OpenCV's basic RANSAC with the settings of glue-factory, which LightGlue's published results were measured with.

For comparison only: USAC-MAGSAC++ and PoseLib are more accurate. OpenCV ignores the seed here; it draws the same
samples in each call.

Source: cvg/glue-factory, `gluefactory/robust_estimators/{homography,relative_pose}/opencv.py`.
"""

from typing import Any

import numpy as np

from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.multiview import normalize_points
from tiepoint.io.optional import import_optional

# Maximum depth, in baselines, of points that recoverPose counts as in front of the camera, as in glue-factory
MAX_DEPTH = 1e9


def homography(problem: Problem) -> Model | None:
    """Estimate from four-point samples, with the transfer error in image 1."""
    cv2 = _cv2()
    H, _ = cv2.findHomography(
        problem.points0,
        problem.points1,
        cv2.RANSAC,
        problem.max_error_px,
        maxIters=3000,
        confidence=0.995,
    )
    return None if H is None else Model(H)


def fundamental(problem: Problem) -> Model | None:
    """Estimate from seven-point samples; the confidence is that of poses, since glue-factory estimates no F."""
    cv2 = _cv2()
    F, _ = cv2.findFundamentalMat(
        problem.points0, problem.points1, cv2.FM_RANSAC, problem.max_error_px, 0.99999
    )
    return None if F is None or F.shape != (3, 3) else Model(F)


def pose(problem: Problem) -> Model | None:
    """Estimate from five-point samples in normalized coordinates; cheirality selects one of the essential matrices."""
    cv2, (K0, K1) = _cv2(), problem.intrinsics
    rays0, rays1 = normalize_points(problem.points0, K0), normalize_points(problem.points1, K1)
    focal_length = np.mean([K0[0, 0], K0[1, 1], K1[0, 0], K1[1, 1]])
    matrices, mask = cv2.findEssentialMat(
        rays0,
        rays1,
        np.eye(3),
        method=cv2.RANSAC,
        prob=0.99999,
        threshold=problem.max_error_px / focal_length,
    )
    if matrices is None:
        return None
    candidates = [
        cv2.recoverPose(E, rays0, rays1, np.eye(3), MAX_DEPTH, mask=mask.copy())
        for E in matrices.reshape(-1, 3, 3)
    ]
    count, R, t, *_ = max(candidates, key=lambda found: found[0])
    return Model(cam1_from_cam0=np.hstack([R, t])) if count else None


def _cv2() -> Any:
    return import_optional("cv2", purpose="method 'opencv-ransac'", install="tiepoint[opencv]")
