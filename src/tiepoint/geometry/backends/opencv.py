"""Estimators of OpenCV: USAC with MAGSAC++ scoring."""

import logging
from typing import Any

import numpy as np

from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Model, Problem
from tiepoint.geometry.multiview import normalize_points
from tiepoint.io.optional import import_optional

logger = logging.getLogger(__name__)

# Maximum depth, in baselines, of points that recoverPose counts as in front of the camera (OpenCV's default: 50)
MAX_DEPTH = 1e9

NO_DISTORTION = np.zeros(4)


def homography(problem: Problem) -> Model | None:
    """Estimate from four-point samples, with the transfer error in image 1."""
    H, _ = _cv2().findHomography(problem.points0, problem.points1, _magsac(problem))
    return None if H is None else Model(H)


def affine(problem: Problem) -> Model | None:
    """Estimate from three-point samples, with the transfer error in image 1."""
    A, _ = _cv2().estimateAffine2D(problem.points0, problem.points1, _magsac(problem))
    return None if A is None else Model(np.vstack([A, (0, 0, 1)]))


def similarity(problem: Problem) -> Model | None:
    """Estimate from two-point samples, with the transfer error in image 1; OpenCV has no MAGSAC++ and no seed for it."""
    cv2 = _cv2()
    S, _ = cv2.estimateAffinePartial2D(
        problem.points0,
        problem.points1,
        method=cv2.RANSAC,
        ransacReprojThreshold=problem.max_error_px,
        maxIters=MAX_ITERATIONS,
        confidence=CONFIDENCE,
    )
    return None if S is None else Model(np.vstack([S, (0, 0, 1)]))


def fundamental(problem: Problem) -> Model | None:
    """Estimate from seven-point samples, with the Sampson error."""
    cv2 = _cv2()
    try:
        F, _ = cv2.findFundamentalMat(problem.points0, problem.points1, _magsac(problem))
    except cv2.error as error:  # if no sample yields a model, OpenCV raises instead of returning None
        logger.info("OpenCV found no fundamental matrix: %s", " ".join(str(error).split()))
        return None
    return None if F is None or F.shape != (3, 3) else Model(F)


def pose(problem: Problem) -> Model | None:
    """Estimate from five-point samples, with the Sampson error; the cheirality check selects one of four poses."""
    cv2, (K0, K1) = _cv2(), problem.intrinsics
    E, mask = cv2.findEssentialMat(
        problem.points0, problem.points1, K0, K1, NO_DISTORTION, NO_DISTORTION, _magsac(problem)
    )
    if E is None or E.shape != (3, 3):
        return None
    rays0, rays1 = normalize_points(problem.points0, K0), normalize_points(problem.points1, K1)
    count, R, t, *_ = cv2.recoverPose(E, rays0, rays1, np.eye(3), MAX_DEPTH, mask=mask)
    return Model(cam1_from_cam0=np.hstack([R, t])) if count else None


def _magsac(problem: Problem) -> Any:
    """Return the settings of cv2.USAC_MAGSAC with a seed, which that flag does not support.

    Source: OpenCV, modules/calib3d/src/usac/ransac_solvers.cpp, `setParameters`.
    """
    cv2 = _cv2()
    settings = cv2.UsacParams()
    settings.sampler = cv2.SAMPLING_UNIFORM
    settings.score = cv2.SCORE_METHOD_MAGSAC
    settings.loMethod = cv2.LOCAL_OPTIM_SIGMA
    settings.loIterations = 10
    settings.loSampleSize = 50
    settings.final_polisher = cv2.MAGSAC
    settings.final_polisher_iterations = 3
    settings.isParallel = False
    settings.threshold = problem.max_error_px
    settings.confidence = CONFIDENCE
    settings.maxIterations = MAX_ITERATIONS
    settings.randomGeneratorState = problem.seed
    return settings


def _cv2() -> Any:
    return import_optional("cv2", purpose="method 'opencv'", install="tiepoint[opencv]")
