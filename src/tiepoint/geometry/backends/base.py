"""What a backend is asked, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.types import Camera

CONFIDENCE = 0.9999
"""Probability, by RANSAC's own reckoning, that one of the samples it drew had no outlier."""

MAX_ITERATIONS = 10_000
"""Enough for 25 % inliers and samples of five; bounds the time where two images have nothing in common."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Matches and settings, checked; the same for all backends.

    Attributes:
        points0: (x, y) in px of image 0; free of lens distortion where there are cameras.
        points1: likewise of image 1.
        weights: of each match, at least 0; RANSAC doesn't use them.
        max_error_px: of an inlier.
        seed: of RANSAC's samples, 0 to 2^31 - 1.
        cameras: of both images, for poses; their distortion has already been removed from the points.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    weights: Float[np.ndarray, "k"]
    max_error_px: float
    seed: int
    cameras: tuple[Camera, Camera] | None = None

    @property
    def intrinsics(self) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
        """K0 and K1."""
        assert self.cameras is not None, "poses have cameras"
        return self.cameras[0].intrinsics, self.cameras[1].intrinsics


class Model(NamedTuple):
    """What a backend found, of any scale and sign; inliers are counted by the caller, the same way for all backends.

    `matrix` is a homography or a fundamental matrix, or None for a pose.
    """

    matrix: Float[np.ndarray, "3 3"] | None = None
    cam1_from_cam0: Float[np.ndarray, "3 4"] | None = None


Estimator: TypeAlias = Callable[[Problem], Model | None]
"""None where there is no model."""


def pinhole_params(intrinsics: Float[np.ndarray, "3 3"]) -> list[float]:
    """[fx, fy, cx, cy], the parameters of the model PINHOLE, which PoseLib has from COLMAP."""
    return [float(intrinsics[row]) for row in ((0, 0), (1, 1), (0, 2), (1, 2))]
