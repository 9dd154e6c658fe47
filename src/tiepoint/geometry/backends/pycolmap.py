"""Estimators of COLMAP: LO-RANSAC. The Python API changes between versions, so only this file uses it."""

from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Model, Problem, pinhole_params
from tiepoint.io.optional import import_optional


def homography(problem: Problem) -> Model | None:
    """Estimate from four-point samples, with the transfer error in image 1."""
    found = _pycolmap().estimate_homography_matrix(problem.points0, problem.points1, _options(problem))
    return None if found is None else Model(np.array(found["H"]))


def affine(problem: Problem) -> Model | None:
    """Estimate from three-point samples, with the transfer error in image 1."""
    found = _pycolmap().estimate_affine2d_robust(problem.points0, problem.points1, _options(problem))
    return None if found is None else Model(np.vstack([found["tgt_from_src"], (0, 0, 1)]))


def fundamental(problem: Problem) -> Model | None:
    """Estimate from seven-point samples, with the Sampson error."""
    found = _pycolmap().estimate_fundamental_matrix(problem.points0, problem.points1, _options(problem))
    return None if found is None else Model(np.array(found["F"]))


def pose(problem: Problem) -> Model | None:
    """Estimate from five-point samples, with the Sampson error; then refine on the inliers."""
    pycolmap = _pycolmap()
    camera0, camera1 = (_camera(K) for K in problem.intrinsics)
    views = (camera0, problem.points0, camera1, problem.points1)
    found = pycolmap.estimate_relative_pose(*views, _options(problem))
    if found is None:
        return None
    refined = pycolmap.refine_relative_pose(found["cam2_from_cam1"], *views, found["inlier_mask"])
    best = found if refined is None else refined
    return Model(cam1_from_cam0=np.array(best["cam2_from_cam1"].matrix()))


def _options(problem: Problem) -> Any:
    options = _pycolmap().RANSACOptions()
    options.max_error = problem.max_error_px
    options.confidence = CONFIDENCE
    options.max_num_trials = MAX_ITERATIONS
    options.random_seed = problem.seed
    options.num_threads = 1
    return options


def _camera(intrinsics: Float[np.ndarray, "3 3"]) -> Any:
    """Return COLMAP's pinhole camera; its width and height are not used in estimation."""
    return _pycolmap().Camera(model="PINHOLE", width=1, height=1, params=pinhole_params(intrinsics))


def _pycolmap() -> Any:
    return import_optional("pycolmap", purpose="method 'pycolmap'", install="tiepoint[pycolmap]")
