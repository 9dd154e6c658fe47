"""The viewer's data of a matched pair, as JSON values; docs/how-to/look-at-matches.md describes the format."""

from pathlib import PurePath
from typing import Any, TypedDict

import numpy as np

from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.geometry.verification import match_errors_px
from tiepoint.html.embedding import EmbeddedImage
from tiepoint.types import PLANAR_KINDS, Correspondences, Features, TwoViewEstimate

FORMAT = 1
"""Version of the format; the viewer refuses others."""

MAX_NAME_LENGTH = 120


class PairOptions(TypedDict, total=False):
    """Keyword options of `pair_data`, which documents them."""

    estimate: TwoViewEstimate | None
    homography: TwoViewEstimate | None
    verification: PairVerification | None
    max_lines: int | None
    unmatched: bool


def pair_data(
    result: Any,
    images: tuple[EmbeddedImage, EmbeddedImage],
    *,
    estimate: TwoViewEstimate | None = None,
    homography: TwoViewEstimate | None = None,
    verification: PairVerification | None = None,
    max_lines: int | None = None,
    unmatched: bool = False,
) -> dict[str, Any]:
    """Collect what the viewer shows.

    Args:
        result: MatchResult, which this package must not import.
        images: Both images.
        estimate: Two-view geometry of the matches: inliers, errors and epipolar lines.
        homography: Homography of the matches for overlays; None uses `estimate` if it is one.
        verification: Pair verification for the caption.
        max_lines: Number of lines at first; None leaves it to the viewer.
        unmatched: Whether unmatched keypoints are shown at first.
    """
    registration = homography or (estimate if estimate and estimate.kind in PLANAR_KINDS else None)
    features = (result.features0, result.features1)
    return {
        "format": FORMAT,
        "images": [_image(features[side], images[side], side) for side in (0, 1)],
        "keypoints": [_flat(part.keypoints.detach().float().cpu().numpy(), 2) for part in features],
        "matches": np.asarray(result.matches).ravel().tolist(),
        "scores": _flat(result.scores, 4),
        "prune": [result.prune0.tolist(), result.prune1.tolist()],
        "layers_run": result.layers_run,
        "estimate": None if estimate is None else _estimate(result.correspondences, estimate),
        "homography": None if registration is None else _homography(registration, features[0].image_size),
        "verification": None if verification is None else _verification(verification),
        "notes": [*_rotations(result), *_reductions(images)],
        "initial": {"max_lines": max_lines, "unmatched": unmatched},
    }


def image_name(features: Features, side: int) -> str:
    """Return the file name of an image, or "image 0" and "image 1" for images from memory."""
    return PurePath(features.source or "").name[-MAX_NAME_LENGTH:] or f"image {side}"


def _image(features: Features, image: EmbeddedImage, side: int) -> dict[str, Any]:
    width, height = features.image_size
    return {"name": image_name(features, side), "width": width, "height": height, "src": image.url}


def _estimate(matches: Correspondences, estimate: TwoViewEstimate) -> dict[str, Any]:
    errors = match_errors_px(matches, estimate)
    fundamental = estimate.fundamental
    return {
        "kind": estimate.kind,
        "max_error_px": estimate.max_error_px,
        "reason": estimate.reason,
        "inliers": estimate.inliers.astype(int).tolist(),
        "errors": [round(float(error), 3) if np.isfinite(error) else None for error in errors],
        "fundamental": None if fundamental is None else fundamental.ravel().tolist(),
    }


def _homography(estimate: TwoViewEstimate, image_size: tuple[int, int]) -> dict[str, Any] | None:
    """Scale the homography so that w = 1 at the center of image 0: points with w > 0 are in front of the camera."""
    if estimate.matrix is None:
        return None
    width, height = image_size
    w = float(estimate.matrix[2] @ ((width - 1) / 2, (height - 1) / 2, 1.0))
    if w == 0:
        return None
    return {"matrix": (estimate.matrix / w).ravel().tolist(), "num_inliers": estimate.num_inliers}


def _verification(verification: PairVerification) -> dict[str, Any]:
    return {
        "same_scene": verification.same_scene,
        "probability": round(verification.probability, 4),
        "reason": verification.reason,
    }


def _rotations(result: Any) -> list[str]:
    rotations = enumerate((result.rotation0, result.rotation1))
    return [f"image {side} rotated by {angle} degrees for matching" for side, angle in rotations if angle]


def _reductions(images: tuple[EmbeddedImage, EmbeddedImage]) -> list[str]:
    return [
        "image {} shown at {:,} × {:,} px of {:,} × {:,} px".format(side, *image.size, *image.image_size)
        for side, image in enumerate(images)
        if image.is_reduced
    ]


def _flat(values: np.ndarray, decimals: int) -> list[float]:
    return np.round(values.astype(np.float64), decimals).ravel().tolist()
