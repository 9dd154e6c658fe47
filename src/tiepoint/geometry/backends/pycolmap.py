"""COLMAP's estimators: LO-RANSAC. Its Python interface moves between versions, so this file alone knows it."""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import MissingDependency
from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS, Model, Problem, pinhole_params


def homography(problem: Problem) -> Model | None:
    """Four-point samples, transfer error in image 1."""
    found = _pycolmap().estimate_homography_matrix(problem.points0, problem.points1, _options(problem))
    return None if found is None else Model(np.array(found["H"]))


def fundamental(problem: Problem) -> Model | None:
    """Seven-point samples, Sampson error."""
    found = _pycolmap().estimate_fundamental_matrix(problem.points0, problem.points1, _options(problem))
    return None if found is None else Model(np.array(found["F"]))


def pose(problem: Problem) -> Model | None:
    """Five-point samples, Sampson error; then refined on its inliers, which RANSAC alone leaves out."""
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
    """COLMAP's pinhole camera; its width and height aren't used in estimation."""
    return _pycolmap().Camera(model="PINHOLE", width=1, height=1, params=pinhole_params(intrinsics))


def _pycolmap() -> ModuleType:
    try:
        import pycolmap
    except ImportError as error:
        raise MissingDependency(
            "method 'pycolmap' needs pycolmap, which isn't installed; run: python -m pip install 'tiepoint[pycolmap]'"
        ) from error
    return pycolmap
