"""TwoViewEstimate: the geometry of an image pair, or the reason why it could not be estimated."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe
from tiepoint.io.notebook import to_html
from tiepoint.types.camera import Camera

Kind = Literal["similarity", "affine", "homography", "fundamental", "essential", "pose"]
"""Geometric model of two views."""

PLANAR_KINDS: tuple[Kind, ...] = ("similarity", "affine", "homography")
"""Models that map points of image 0 to points of image 1, from few to many degrees of freedom: 4, 6, 8."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TwoViewEstimate:
    """Two-view geometry, or the reason of its failure.

    With p0 and p1 the homogeneous points (x, y, 1) in px of image 0 and 1, and x0, x1 the undistorted, normalized
    points (K^-1 p): a homography H satisfies p1 ~ H p0 (similarities and affine transformations have the
    last row (0, 0, 1)), a fundamental matrix F p1^T F p0 = 0, an essential matrix E x1^T E x0 = 0, and a pose [R | t] maps
    points from the frame of camera 0 to the frame of camera 1.

    Attributes:
        kind: Type of model.
        matrix: H with H[2, 2] = 1 where possible; F with Frobenius norm 1; E = [t]x R with a t of length 1, for "pose", too.
            The signs of F, and of E of kind "essential", make the entry of largest magnitude positive. None if the
            estimation failed.
        inliers: Whether each match is an inlier; all False if the estimation failed.
        method: Estimation method, for example "poselib", "opencv", "pycolmap", "dlt".
        max_error_px: Inlier threshold in px of the original images.
        cam1_from_cam0: [R | t] with a t of length 1, for "pose" only; the scale of a scene is not observable in two images.
        camera0: Camera of image 0, for "essential" and "pose" only.
        camera1: Camera of image 1, for "essential" and "pose" only.
        reason: Reason of the failure; "" if the estimation succeeded.

    Raises:
        InvalidInput: If an array has another shape, the kind is unknown, or a failure has no reason.
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
            raise InvalidInput(f"kind: expected one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        _check_array("matrix", self.matrix, (3, 3))
        _check_array("cam1_from_cam0", self.cam1_from_cam0, (3, 4))
        if getattr(self.inliers, "dtype", None) != np.bool_ or self.inliers.ndim != 1:
            raise InvalidInput(f"inliers: expected a bool array of shape (k,), got {describe(self.inliers)}")
        _check_outcome(self)

    def __repr__(self) -> str:
        outcome = f"{self.num_inliers} of {len(self.inliers)} matches are inliers"
        if not self.success:
            outcome = f"failed: {self.reason}"
        return f"TwoViewEstimate({self.kind}, {self.method}, max_error_px={self.max_error_px:g}, {outcome})"

    def _repr_html_(self) -> str:
        """Show the outcome and the matrix in a notebook."""
        rows: list[tuple[str, object]] = [("method", self.method), ("threshold", f"{self.max_error_px:g} px")]
        if self.matrix is None:
            rows.append(("failed", self.reason))
        else:
            matrix = self.matrix if self.cam1_from_cam0 is None else self.cam1_from_cam0
            rows += [("inliers", f"{self.num_inliers:,} of {len(self.inliers):,}")]
            rows += [
                (f"row {number}", "   ".join(f"{value:.5g}" for value in row))
                for number, row in enumerate(matrix)
            ]
        return to_html(f"Two-view geometry: {self.kind}", rows)

    @property
    def success(self) -> bool:
        """Whether the estimation succeeded."""
        return self.matrix is not None

    @property
    def num_inliers(self) -> int:
        """Number of inliers."""
        return int(self.inliers.sum())

    @property
    def homography(self) -> Float[np.ndarray, "3 3"] | None:
        """Homography from image 0 to image 1, for `PLANAR_KINDS`; None for other kinds, or if the estimation failed."""
        return self.matrix if self.kind in PLANAR_KINDS else None

    @property
    def fundamental(self) -> Float[np.ndarray, "3 3"] | None:
        """Fundamental matrix of undistorted pixels, for all kinds but `PLANAR_KINDS`; None if the estimation failed."""
        if self.kind == "fundamental" or self.matrix is None:
            return self.matrix
        if self.camera0 is None or self.camera1 is None:
            return None
        inverse0, inverse1 = (np.linalg.inv(camera.intrinsics) for camera in (self.camera0, self.camera1))
        F = inverse1.T @ self.matrix @ inverse0
        return F / np.linalg.norm(F)


def _check_array(name: str, value: np.ndarray | None, shape: tuple[int, ...]) -> None:
    if value is not None and (getattr(value, "shape", None) != shape or not np.isfinite(value).all()):
        raise InvalidInput(f"{name}: expected a finite array of shape {shape}, got {describe(value)}")


def _check_outcome(estimate: TwoViewEstimate) -> None:
    has_pose = estimate.kind == "pose" and estimate.success
    if (estimate.cam1_from_cam0 is not None) != has_pose:
        raise InvalidInput("cam1_from_cam0 must be given if and only if a 'pose' was estimated successfully")
    if estimate.success == bool(estimate.reason):
        raise InvalidInput(
            f"a failure needs a reason, and a success must not have one, got reason={estimate.reason!r}"
        )
    if not estimate.success and estimate.inliers.any():
        raise InvalidInput("inliers: expected none for a failed estimation")
