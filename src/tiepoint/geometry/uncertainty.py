"""Uncertainty of a homography, affine transformation or similarity under the noise that the inlier threshold allows."""

import math

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.multiview import to_homogeneous
from tiepoint.types import Kind

# Ratio of the 95 % quantile of a distance in two dimensions to the standard deviation per axis (chi-squared: 5.99)
QUANTILE = 2.45

# Eigenvalues of the information matrix below this share of the largest one are zeros that were rounded
MIN_INFORMATION = 1e-12


def relative_uncertainty(
    kind: Kind,
    points: Float[np.ndarray, "k 2"],
    homography: Float[np.ndarray, "3 3"],
    max_error_px: float,
) -> float:
    """Return the standard deviation of a homography at the corners of the square around the points, relative to its side.

    The deviation is measured in image 0, so that it stays finite where the homography maps points to infinity.

    Args:
        kind: Type of model, of `PLANAR_KINDS`: its degrees of freedom.
        points: Inliers (x, y) of image 0.
        homography: Matrix of the model, from image 0 to image 1.
        max_error_px: Threshold of the transfer error; the noise has a standard deviation of `max_error_px` / 2.45.

    Returns:
        Uncertainty without unit; infinity if the points do not determine all parameters.

    Source: Hartley and Zisserman, section 5.2 (propagation of covariance).
    """
    center = points.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov((points - center).T, bias=True))
    half_side = math.sqrt(3 * max(float(values[1]), 0.0))  # of a uniform distribution with this variance
    frame = half_side * axes  # from units of half a side along the principal axes to px of image 0
    H = homography @ np.vstack([np.column_stack([frame, center]), [0.0, 0.0, 1.0]])
    used = (points - center) @ axes / half_side
    covariance = _covariance(_jacobians(used, H), _parameters(kind, H), max_error_px / QUANTILE)
    if covariance is None:
        return math.inf
    corners = np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    back = np.linalg.pinv(_derivatives(corners, H)) @ _jacobians(corners, H)
    variances = np.linalg.eigvalsh(back @ covariance @ back.transpose(0, 2, 1))[:, -1]
    return float(np.sqrt(variances.max())) / 2


def _jacobians(
    points: Float[np.ndarray, "k 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "k 2 9"]:
    """Derivatives of the warped points by the nine entries of the homography."""
    x = to_homogeneous(points)
    projected = x @ homography.T
    zeros = np.zeros_like(x)
    u, v = (projected[:, axis, None] / projected[:, 2:] for axis in (0, 1))
    rows = np.stack([np.hstack([x, zeros, -u * x]), np.hstack([zeros, x, -v * x])], axis=1)
    return rows / projected[:, 2, None, None]


def _derivatives(
    points: Float[np.ndarray, "k 2"], homography: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "k 2 2"]:
    """Derivatives of the warped points by the points."""
    projected = to_homogeneous(points) @ homography.T
    warped = projected[:, :2] / projected[:, 2:]
    return (homography[None, :2, :2] - warped[:, :, None] * homography[None, 2:, :2]) / projected[
        :, 2, None, None
    ]


def _parameters(kind: Kind, homography: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "9 p"]:
    """Directions in which the nine entries of a matrix can move; those of a homography include its scale."""
    if kind == "homography":
        return np.eye(9)
    if kind == "affine":
        return np.eye(9)[:, :6]
    sign = np.sign(np.linalg.det(homography[:2, :2]))  # -1 for a mirrored image: [[a, b], [b, -a]]
    a, b, x, y = np.zeros((4, 9))
    a[[0, 4]] = 1, sign
    b[[3, 1]] = 1, -sign
    x[2] = y[5] = 1
    return np.stack([a, b, x, y], axis=1)


def _covariance(
    jacobians: Float[np.ndarray, "k 2 9"], parameters: Float[np.ndarray, "9 p"], deviation: float
) -> Float[np.ndarray, "9 9"] | None:
    """Covariance of the entries of a matrix, without their scale; None if it is infinite."""
    rows = jacobians.reshape(-1, 9) @ parameters
    scale = np.linalg.norm(rows, axis=0)
    if not (np.isfinite(scale).all() and scale.all()):
        return None
    rows = rows / scale  # columns of equal norm: an invertible matrix if the points are in general position
    values, vectors = np.linalg.eigh(rows.T @ rows)
    first = int(parameters.shape[1] == 9)  # values[0] is that of the scale
    if values[first] <= MIN_INFORMATION * values[-1]:
        return None
    whitened = parameters @ (vectors[:, first:] / np.sqrt(values[first:]) / scale[:, None])
    return deviation**2 * whitened @ whitened.T
