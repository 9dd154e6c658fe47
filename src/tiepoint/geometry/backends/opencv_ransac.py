"""OpenCV's plain RANSAC with glue-factory's settings: what published figures of LightGlue were made with.

For comparison only: USAC-MAGSAC++ and PoseLib find better models. It draws the same samples in each call, whatever
the seed.

Source: cvg/glue-factory, `gluefactory/robust_estimators/{homography,relative_pose}/opencv.py`.
"""

from types import ModuleType

import numpy as np

from tiepoint.errors import MissingDependency
from tiepoint.geometry.backends.base import Model, Problem
from tiepoint.geometry.multiview import normalize_points

FARTHEST = 1e9
"""As in glue-factory: points closer than this, in baselines, may be in front of the camera."""


def homography(problem: Problem) -> Model | None:
    """Four-point samples, transfer error in image 1."""
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
    """Seven-point samples; glue-factory estimates none, so the confidence is that of its poses."""
    cv2 = _cv2()
    F, _ = cv2.findFundamentalMat(
        problem.points0, problem.points1, cv2.FM_RANSAC, problem.max_error_px, 0.99999
    )
    return None if F is None or F.shape != (3, 3) else Model(F)


def pose(problem: Problem) -> Model | None:
    """Five-point samples on the plane z = 1; of several essential matrices, the one with most points in front."""
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
    posed = [
        cv2.recoverPose(E, rays0, rays1, np.eye(3), FARTHEST, mask=mask.copy())
        for E in matrices.reshape(-1, 3, 3)
    ]
    count, R, t, *_ = max(posed, key=lambda found: found[0])
    return Model(cam1_from_cam0=np.hstack([R, t])) if count else None


def _cv2() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise MissingDependency(
            "method 'opencv-ransac' needs OpenCV, which isn't installed; "
            "run: python -m pip install 'tiepoint[opencv]'"
        ) from error
    return cv2
