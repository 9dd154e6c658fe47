"""Input and output of the estimators: a RANSAC problem, and a model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.types import Camera

# RANSAC confidence: probability that at least one sample is free of outliers
CONFIDENCE = 0.9999

# Maximum number of RANSAC iterations: sufficient for five-point samples and 25 % inliers
MAX_ITERATIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Validated matches and settings, the same for all backends.

    Attributes:
        points0: Points (x, y) of image 0 in px; undistorted if there are cameras.
        points1: Corresponding points of image 1 in px; undistorted if there are cameras.
        weights: Weight of each match, at least 0; not used by RANSAC.
        max_error_px: Inlier threshold.
        seed: Random seed of RANSAC, 0 to 2^31 - 1.
        cameras: Cameras of both images, for poses; the points are already undistorted.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    weights: Float[np.ndarray, "k"]
    max_error_px: float
    seed: int
    cameras: tuple[Camera, Camera] | None = None

    @property
    def intrinsics(self) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
        """Intrinsics K0 and K1."""
        assert self.cameras is not None, "poses have cameras"
        return self.cameras[0].intrinsics, self.cameras[1].intrinsics


class Model(NamedTuple):
    """Output of a backend, up to scale and sign; the caller counts inliers, in the same way for all backends.

    Attributes:
        matrix: Homography or fundamental matrix; None for a pose.
        cam1_from_cam0: Relative pose; None for a matrix.
    """

    matrix: Float[np.ndarray, "3 3"] | None = None
    cam1_from_cam0: Float[np.ndarray, "3 4"] | None = None


Estimator: TypeAlias = Callable[[Problem], Model | None]
"""Returns None if no model was found."""


def pinhole_params(intrinsics: Float[np.ndarray, "3 3"]) -> list[float]:
    """Return [fx, fy, cx, cy], the parameters of the model PINHOLE of COLMAP and PoseLib."""
    return [float(intrinsics[row]) for row in ((0, 0), (1, 1), (0, 2), (1, 2))]
