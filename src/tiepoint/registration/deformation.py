"""Deformation: a thin-plate spline on top of a model, for scenes that no single model aligns (`piecewise`).

The spline is fitted to the offsets of the matches from the model, smoothed as much as held-out matches ask for, and kept
only if it predicts them better than the model does. Source: Bookstein, Principal Warps, PAMI 1989; SciPy's
`RBFInterpolator`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.multiview import to_homogeneous, warp_points
from tiepoint.image.displacement import DisplacementField
from tiepoint.io.optional import import_optional
from tiepoint.types import Correspondences, TwoViewEstimate

MIN_POINTS = 30  # control points
MAX_POINTS = 1000  # control points of the spline; more are sampled, its cost is cubic
MAX_OFFSET = 0.1  # of the longer side of the moving image: matches further from the model are outliers
NUM_NEIGHBORS = 12  # matches around a match, with whose offsets its own must agree
MAX_SPREADS = 2.0  # of the offsets around a match, in which its own may differ besides the threshold
MIN_WIDTH = 1e-3  # of the matches across their line, in units of the longer side
NUM_FOLDS = 5  # parts of the control points, each held out once
SMOOTHING = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # candidates, for positions in units of the longer side
MIN_GAIN = 0.9  # held-out error relative to the model's from which on there is no deformation
NUM_NODES = 64  # of the displacement field along the longer side of the fixed image

Points = Float[np.ndarray, "k 2"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deformation:
    """Smooth offsets from a model.

    Attributes:
        displacement: Offsets in px of the moving image, for pixels of the fixed one.
        is_control_point: Matches whose offset agrees with that of their neighbors, shape (k,).
        num_fitted: Number of control points that the spline was fitted to; of many, a sample.
        held_out_rms_px: Root mean square error of held-out control points, in px of the fixed image.
        model_rms_px: The same for the model without the spline.
    """

    displacement: DisplacementField
    is_control_point: Bool[np.ndarray, "k"]
    num_fitted: int
    held_out_rms_px: float
    model_rms_px: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of control points and the errors."""
        return {
            "num_control_points": int(self.is_control_point.sum()),
            "num_fitted": self.num_fitted,
            "held_out_rms_px": self.held_out_rms_px,
            "model_rms_px": self.model_rms_px,
        }


def fit_deformation(matches: Correspondences, estimate: TwoViewEstimate) -> tuple[Deformation | None, str]:
    """Fit a thin-plate spline to the offsets of matches from a model.

    Args:
        matches: Matches in px of the moving image (0) and the fixed one (1).
        estimate: Successful alignment of these matches.

    Returns:
        The deformation, and why there is none: too few matches, no better than the model, or it folds the image.

    Raises:
        MissingDependency: If SciPy is not installed.
    """
    assert estimate.matrix is not None, "failures have no model"
    moving_from_fixed = np.linalg.inv(estimate.matrix)
    fixed = matches.points1.astype(np.float64)
    offsets = matches.points0 - warp_points(fixed, moving_from_fixed)
    px = _scale(moving_from_fixed, _size(matches, 1))
    is_control_point = _agree_locally(
        fixed, offsets, estimate.max_error_px * px, MAX_OFFSET * max(_size(matches, 0))
    )
    chosen = _sample(np.flatnonzero(is_control_point))
    if len(chosen) < MIN_POINTS:
        return None, f"{len(chosen)} matches with consistent offsets, at least {MIN_POINTS} are needed"
    unit = float(max(_size(matches, 1)))
    points, targets = fixed[chosen] / unit, offsets[chosen]
    if _width(points) < MIN_WIDTH:
        return None, "the matches lie on one line"
    errors = {smoothing: _held_out_rms(points, targets, smoothing) for smoothing in SMOOTHING}
    smoothing = min(errors, key=lambda each: errors[each])
    held_out_rms, model_rms = errors[smoothing] / px, _rms(targets) / px
    if held_out_rms >= MIN_GAIN * model_rms:
        return None, f"one model fits as well: {model_rms:.2f} px, {held_out_rms:.2f} px with a deformation"
    displacement = _to_field(_spline(points, targets, smoothing), points, _size(matches, 1))
    if _folds(displacement, moving_from_fixed, _size(matches, 0)):
        return None, "the deformation would fold the image"
    deformation = Deformation(
        displacement=displacement,
        is_control_point=is_control_point,
        num_fitted=len(chosen),
        held_out_rms_px=held_out_rms,
        model_rms_px=model_rms,
    )
    return deformation, ""


def require_scipy(module: str = "interpolate") -> ModuleType:
    """Import a module of SciPy.

    Args:
        module: Name of the module.

    Raises:
        MissingDependency: If SciPy is not installed.
    """
    return import_optional(f"scipy.{module}", purpose="piecewise registration", install="tiepoint[register]")


def _agree_locally(points: Points, offsets: Points, tolerance: float, limit: float) -> Bool[np.ndarray, "k"]:
    """Return the matches whose offset is close to the median offset of their neighbors, relative to their spread."""
    kept = np.hypot(*offsets.T) <= limit
    for _ in range(2):
        among = np.flatnonzero(kept)
        if len(among) <= NUM_NEIGHBORS:
            return np.zeros(len(points), dtype=bool)
        _, neighbors = (
            require_scipy("spatial").cKDTree(points[among]).query(points[among], k=NUM_NEIGHBORS + 1)
        )
        around = offsets[among][neighbors[:, 1:]]
        median = np.median(around, axis=1)
        spread = np.median(np.linalg.norm(around - median[:, None], axis=2), axis=1)
        distance = np.linalg.norm(offsets[among] - median, axis=1)
        kept[among] = distance <= tolerance + MAX_SPREADS * spread
    return kept


def _sample(indices: np.ndarray) -> np.ndarray:
    """Return at most MAX_POINTS indices in random order, the same in every run."""
    return np.random.default_rng(0).permutation(indices)[:MAX_POINTS]


def _width(points: Points) -> float:
    """Return the standard deviation of points across their longest extent."""
    return float(np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[-1]) / len(points) ** 0.5


def _spline(points: Points, targets: Points, smoothing: float) -> Callable[[Points], Points]:
    return require_scipy().RBFInterpolator(points, targets, kernel="thin_plate_spline", smoothing=smoothing)


def _held_out_rms(points: Points, targets: Points, smoothing: float) -> float:
    """Return the error of cross-validation; points are in random order."""
    fold = np.arange(len(points)) % NUM_FOLDS
    errors = np.empty_like(targets)
    for held_out in (fold == number for number in range(NUM_FOLDS)):
        predicted = _spline(points[~held_out], targets[~held_out], smoothing)(points[held_out])
        errors[held_out] = predicted - targets[held_out]
    return _rms(errors)


def _rms(vectors: Points) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))


def _to_field(spline: Callable[[Points], Points], points: Points, size: tuple[int, int]) -> DisplacementField:
    """Evaluate a spline at the nodes, within the bounding box of its points and the range of its values at them.

    Splines grow without bound away from their points.
    """
    spacing = max(size) / (NUM_NODES - 1)
    counts = [max(2, int(np.ceil(length / spacing)) + 1) for length in size]
    x, y = np.meshgrid(*(np.arange(count) * spacing / max(size) for count in counts))
    nodes = np.stack([x, y], axis=-1).reshape(-1, 2).clip(points.min(axis=0), points.max(axis=0))
    known = spline(points)
    offsets = spline(nodes).clip(known.min(axis=0), known.max(axis=0))
    return DisplacementField(offsets.reshape(*x.shape, 2), spacing)


def _folds(
    displacement: DisplacementField, moving_from_fixed: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> bool:
    """Return whether a cell of the grid that shows the moving image is turned over, or collapses."""
    rows, columns, _ = displacement.offsets.shape
    x, y = np.meshgrid(np.arange(columns) * displacement.spacing, np.arange(rows) * displacement.spacing)
    nodes = np.stack([x, y], axis=-1).reshape(-1, 2)
    w = (to_homogeneous(nodes) @ moving_from_fixed[2]).reshape(rows, columns)
    sign = np.sign(to_homogeneous(_center(size)) @ np.linalg.inv(moving_from_fixed)[2])
    in_front = w * sign > 0
    mapped = warp_points(nodes, moving_from_fixed).reshape(rows, columns, 2)
    positions = np.where(in_front[..., None], mapped, -1.0) + displacement.offsets
    is_inside = in_front & ((positions >= 0) & (positions <= size)).all(axis=-1)
    right, down = np.diff(positions, axis=1), np.diff(positions, axis=0)
    cells = [
        (right[:-1], down[:, :-1]),
        (right[1:], down[:, :-1]),
        (right[:-1], down[:, 1:]),
        (right[1:], down[:, 1:]),
    ]
    turned = np.any([a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0] <= 0 for a, b in cells], axis=0)
    is_shown = is_inside[:-1, :-1] & is_inside[1:, :-1] & is_inside[:-1, 1:] & is_inside[1:, 1:]
    return bool((turned & is_shown).any())


def _center(size: tuple[int, int]) -> Float[np.ndarray, "1 2"]:
    return np.array([size], dtype=np.float64) / 2


def _scale(moving_from_fixed: Float[np.ndarray, "3 3"], size: tuple[int, int]) -> float:
    """Return the length in the moving image of one px at the center of the fixed one."""
    steps = warp_points(np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]) + _center(size), moving_from_fixed)
    return float(np.sqrt(abs(np.linalg.det(steps[1:] - steps[:1]))))


def _size(matches: Correspondences, side: int) -> tuple[int, int]:
    info = matches.image1 if side else matches.image0
    assert info.image_size is not None, "matches of an alignment have image sizes"
    return info.image_size
