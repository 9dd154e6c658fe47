"""TwoViewEstimate: the geometry of a pair, or why there is none."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.errors import InvalidInput
from tiepoint.types.camera import Camera
from tiepoint.types.features import describe

Kind = Literal["homography", "fundamental", "essential", "pose"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoViewEstimate:
    """The geometry of a pair of images; a failure is one too, with the reason.

    With p0 and p1 the homogeneous (x, y, 1) of a point in px of image 0 and 1, and x0, x1 the undistorted
    (K^-1 p): a homography H has p1 ~ H p0, a fundamental matrix F has p1^T F p0 = 0, an essential matrix E has
    x1^T E x0 = 0, and a pose [R | t] moves points from the frame of camera 0 to the frame of camera 1.

    Attributes:
        kind: what was estimated.
        matrix: H with H[2, 2] = 1 wherever that can be; F of Frobenius norm 1; E = [t]x R with |t| = 1, for "pose" too.
            The signs of F and of E of kind "essential" are such that the entry of the largest magnitude is positive.
            None: the estimation failed.
        inliers: (k,) which matches agree with the estimate; none where it failed.
        method: name of the estimator: "poselib", "opencv", "pycolmap", "dlt".
        max_error_px: an inlier's largest error, in px of the original images.
        cam1_from_cam0: [R | t] with |t| = 1, for "pose" only: the scale of a scene can't be seen in two images.
        camera0: what the rays of image 0 were computed with; for "essential" and "pose" only.
        camera1: likewise of image 1.
        reason: why it failed, in words; "" where it did not.

    Raises:
        InvalidInput: arrays of another shape, an unknown kind, or a failure without a reason.
    """

    kind: Kind
    matrix: Float[np.ndarray, "3 3"] | None
    inliers: Bool[np.ndarray, "k"]
    method: str
    max_error_px: float
    cam1_from_cam0: Float[np.ndarray, "3 4"] | None = None
    camera0: Camera | None = None
    camera1: Camera | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InvalidInput(f"kind must be one of {', '.join(get_args(Kind))}, but is {self.kind!r}")
        _check_array("matrix", self.matrix, (3, 3))
        _check_array("cam1_from_cam0", self.cam1_from_cam0, (3, 4))
        if getattr(self.inliers, "dtype", None) != np.bool_ or self.inliers.ndim != 1:
            raise InvalidInput(f"inliers must be a bool array (k,), but came as {describe(self.inliers)}")
        _check_outcome(self)

    @property
    def success(self) -> bool:
        """Whether there is an estimate."""
        return self.matrix is not None

    @property
    def num_inliers(self) -> int:
        """How many matches agree with the estimate."""
        return int(self.inliers.sum())

    @property
    def fundamental(self) -> Float[np.ndarray, "3 3"] | None:
        """F of the undistorted pixels, for every kind but a homography: what epipolar lines are drawn with."""
        if self.kind == "fundamental" or self.matrix is None:
            return self.matrix
        if self.camera0 is None or self.camera1 is None:
            return None
        inverse0, inverse1 = (np.linalg.inv(camera.intrinsics) for camera in (self.camera0, self.camera1))
        F = inverse1.T @ self.matrix @ inverse0
        return F / np.linalg.norm(F)


def _check_array(name: str, value: np.ndarray | None, shape: tuple[int, ...]) -> None:
    if value is not None and (getattr(value, "shape", None) != shape or not np.isfinite(value).all()):
        raise InvalidInput(f"{name} must be a finite array of shape {shape}, but came as {describe(value)}")


def _check_outcome(estimate: TwoViewEstimate) -> None:
    posed = estimate.kind == "pose" and estimate.success
    if (estimate.cam1_from_cam0 is not None) != posed:
        raise InvalidInput(
            "cam1_from_cam0 belongs to an estimate of kind 'pose' that succeeded, and only there"
        )
    if estimate.success == bool(estimate.reason):
        raise InvalidInput(f"a failure has a reason, a success has none, but reason is {estimate.reason!r}")
    if not estimate.success and estimate.inliers.any():
        raise InvalidInput("an estimate that failed has no inliers")
