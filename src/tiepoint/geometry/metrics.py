"""Errors of estimates with respect to ground truth, and their aggregation. Pure NumPy, float64.

A failed estimation (`None`) has an infinite error: it counts in every mean and AUC, and is never replaced by an identity.

    pose         rotation_error_deg, translation_error_deg, pose_error_deg
    homography   corner_error_px, homography_errors_px, homography_precision, homography_recall
    epipolar     epipolar_errors, epipolar_precision, epipolar_errors_px
    disparity    disparity_errors_px
    aggregation  accuracy, mean_average_accuracy, auc
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from tiepoint.errors import InvalidInput
from tiepoint.geometry.ground_truth import ground_truth_matches
from tiepoint.geometry.multiview import (
    epipolar_distances,
    essential_from_pose,
    normalize_points,
    transfer_errors,
    warp_points,
)


def rotation_error_deg(estimated: Float[np.ndarray, "3 3"], true: Float[np.ndarray, "3 3"]) -> float:
    """Return the angle of the relative rotation, in [0, 180] degrees."""
    cosine = (np.trace(estimated.T.astype(np.float64) @ true) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def translation_error_deg(estimated: Float[np.ndarray, "3"], true: Float[np.ndarray, "3"]) -> float:
    """Return the angle between two translation directions up to sign, in [0, 90] degrees.

    The sign is ignored as in SuperGlue, LoFTR and LightGlue, because an essential matrix does not determine it.

    Returns:
        Angle in degrees; 0 if the true translation is zero, 90 if only the estimated one is.
    """
    length, true_length = np.linalg.norm(estimated), np.linalg.norm(true)
    if true_length == 0:
        return 0.0
    if length == 0:
        return 90.0
    cosine = estimated.astype(np.float64) @ true / (length * true_length)
    return float(np.rad2deg(np.arccos(np.clip(abs(cosine), 0, 1))))


def pose_error_deg(estimated: Float[np.ndarray, "3 4"] | None, true: Float[np.ndarray, "3 4"]) -> float:
    """Return the maximum of rotation and translation error, in degrees; inf if the estimation failed.

    Args:
        estimated: Estimated cam1_from_cam0, or None.
        true: Ground-truth cam1_from_cam0; the scales of the translations are ignored.

    Source: SuperGlue (arXiv 1911.11763), section 5.2; `compute_pose_error` of its `models/utils.py`.
    """
    if estimated is None:
        return float("inf")
    return max(
        rotation_error_deg(estimated[:, :3], true[:, :3]), translation_error_deg(estimated[:, 3], true[:, 3])
    )


def corner_error_px(
    estimated: Float[np.ndarray, "3 3"] | None,
    true: Float[np.ndarray, "3 3"],
    image_size0: tuple[int, int],
) -> float:
    """Return the mean distance in image 1 between the corners of image 0 warped by two homographies, in px.

    Args:
        estimated: Estimated homography (p1 ~ H p0), or None.
        true: Ground-truth homography.
        image_size0: Size (width, height) of image 0 in px; corners are (0, 0), (w, 0), (w, h), (0, h), as in
            glue-factory.

    Returns:
        Error in px; inf if the estimation failed, or a corner is mapped to infinity.

    Source: LightGlue (arXiv 2306.13643), section 5.1; `homography_corner_error` of glue-factory.
    """
    if estimated is None:
        return float("inf")
    width, height = image_size0
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    warped = warp_points(corners, estimated)
    if not np.isfinite(warped).all():
        return float("inf")
    return float(np.linalg.norm(warped - warp_points(corners, true), axis=1).mean())


def homography_errors_px(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    homography: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "k"]:
    """Return the symmetric transfer error of each match: mean of the errors in both images, in px.

    Source: `sym_homography_error` of glue-factory.
    """
    forward = transfer_errors(points0, points1, homography)
    backward = transfer_errors(points1, points0, np.linalg.inv(homography))
    return (forward + backward) / 2


def homography_precision(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    homography: Float[np.ndarray, "3 3"],
    thresholds_px: Sequence[float],
) -> Float[np.ndarray, "thresholds"]:
    """Return the fraction of matches with an error below each threshold; 0 without matches."""
    return accuracy(homography_errors_px(points0, points1, homography), thresholds_px)


def homography_recall(
    matches: Int[np.ndarray, "k 2"],
    keypoints0: Float[np.ndarray, "m 2"],
    keypoints1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = 3.0,
) -> float:
    """Return the fraction of ground-truth matches that were found; NaN if there are no ground-truth matches.

    Args:
        matches: Index pairs (keypoint of image 0, keypoint of image 1).
        keypoints0: All keypoints (x, y) of image 0 in px.
        keypoints1: All keypoints (x, y) of image 1 in px.
        homography: Ground-truth homography, p1 ~ H p0.
        max_error_px: Maximum symmetric transfer error in px of ground-truth matches.
    """
    possible = ground_truth_matches(keypoints0, keypoints1, homography, max_error_px=max_error_px)
    if len(possible) == 0:
        return float("nan")
    found = {(int(i), int(j)) for i, j in matches}
    return sum((int(i), int(j)) in found for i, j in possible) / len(possible)


def epipolar_errors(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    essential: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "k"]:
    """Return the squared symmetric epipolar distance: the sum of the squared distances in both images.

    Args:
        points0: Points of image 0: normalized with E, in px with F.
        points1: Corresponding points of image 1, in the same unit.
        essential: Ground-truth E or F.

    Source: `compute_epipolar_error` of SuperGlue; `symmetric_epipolar_distance` of LoFTR.
    """
    return np.sum(epipolar_distances(points0, points1, essential) ** 2, axis=1)


def epipolar_precision(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    cam1_from_cam0: Float[np.ndarray, "3 4"],
    intrinsics0: Float[np.ndarray, "3 3"],
    intrinsics1: Float[np.ndarray, "3 3"],
    *,
    max_error: float = 5e-4,
) -> float:
    """Return the fraction of matches consistent with the ground-truth pose, as in SuperGlue; 0 without matches.

    Args:
        points0: Undistorted points (x, y) of image 0 in px.
        points1: Corresponding undistorted points of image 1 in px.
        cam1_from_cam0: Ground-truth relative pose.
        intrinsics0: Intrinsics K of image 0.
        intrinsics1: Intrinsics K of image 1.
        max_error: Threshold of the squared symmetric epipolar distance in normalized coordinates (no unit); SuperGlue
            uses 5e-4 on ScanNet and 1e-4 outdoors.

    Source: SuperGlue, section 5.2.
    """
    errors = epipolar_errors(
        normalize_points(points0, intrinsics0),
        normalize_points(points1, intrinsics1),
        essential_from_pose(cam1_from_cam0),
    )
    return float(accuracy(errors, [max_error])[0])


def epipolar_errors_px(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    fundamental: Float[np.ndarray, "3 3"] | None,
) -> Float[np.ndarray, "k"]:
    """Return the epipolar error of each match: the maximum of the distances in both images, in px.

    With the ground-truth F and estimated matches, `accuracy` of these errors is the epipolar precision; with an
    estimated F and hand-labeled correspondences, it is the fraction of correspondences consistent with the estimate,
    and `mean_average_accuracy` over 1, 2, …, 20 px is the mAA of WxBS. All errors are inf if F is None.

    Source: WxBS (arXiv 1504.06603), section 4, which measures in both images, too.
    """
    if fundamental is None:
        return np.full(len(points0), np.inf)
    return epipolar_distances(points0, points1, fundamental).max(axis=1)


def disparity_errors_px(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    disparity_px: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "k"]:
    """Return the error of each match of a rectified pair in image 1, in px.

    Args:
        points0: Points (x, y) of image 0 in px.
        points1: Corresponding points of image 1 in px.
        disparity_px: Disparity map of image 0, x1 = x0 - disparity; NaN if unknown. The nearest pixel is used, because
            interpolation across depth discontinuities is wrong.

    Returns:
        Errors in px; NaN where the disparity is unknown.
    """
    height, width = disparity_px.shape
    columns = np.clip(np.rint(points0[:, 0]).astype(np.int64), 0, width - 1)
    rows = np.clip(np.rint(points0[:, 1]).astype(np.int64), 0, height - 1)
    true = points0.astype(np.float64) - np.column_stack([disparity_px[rows, columns], np.zeros(len(points0))])
    return np.linalg.norm(points1 - true, axis=1)


def accuracy(errors: Float[np.ndarray, "k"], thresholds: Sequence[float]) -> Float[np.ndarray, "thresholds"]:
    """Return the fraction of errors below each threshold; 0 without errors.

    Args:
        errors: Errors; inf for failures, NaN (ignored) for unknown ground truth.
        thresholds: Thresholds in the unit of the errors.
    """
    known = errors[~np.isnan(errors)]
    return np.array([np.mean(known < limit) if len(known) else 0.0 for limit in thresholds])


def mean_average_accuracy(errors: Float[np.ndarray, "k"], thresholds: Sequence[float]) -> float:
    """Return the mAA: the mean of `accuracy` over the thresholds.

    Source: Image Matching across Wide Baselines (arXiv 2003.01587), section 4.3.
    """
    return float(accuracy(errors, thresholds).mean())


def auc(
    errors: Float[np.ndarray, "*batch n"], thresholds: Sequence[float]
) -> Float[np.ndarray, "*batch thresholds"]:
    """Return the area under the cumulative error curve up to each threshold, divided by the threshold.

    The curve is piecewise linear through (0, 0) and (i-th smallest error, i / n), and constant after the last error
    below the threshold.

    Args:
        errors: Errors, one per pair; inf or NaN for failures. Leading axes are further samples, for the bootstrap.
        thresholds: Positive thresholds in the unit of the errors.

    Returns:
        AUC in [0, 1]. Tables show it times 100; glue-factory rounds it to four digits first.

    Raises:
        InvalidInput: If there are no errors, an error is negative, or a threshold is not positive.

    Source: `pose_auc` of SuperGlue's `models/utils.py`.
    """
    if errors.shape[-1] == 0 or min(thresholds) <= 0 or (errors < 0).any():
        raise InvalidInput(
            f"auc: expected at least one error, none of them negative, and positive thresholds, "
            f"got {errors.shape[-1]} errors and thresholds {list(thresholds)}"
        )
    ordered = np.sort(np.where(np.isnan(errors), np.inf, errors.astype(np.float64)), axis=-1)
    return np.stack([_area(ordered, float(limit)) for limit in thresholds], axis=-1)


def _area(ordered: Float[np.ndarray, "*batch n"], limit: float) -> Float[np.ndarray, "*batch"]:
    """Trapezoidal rule between consecutive errors, each clipped at `limit`; rectangles from the limit on."""
    count = ordered.shape[-1]
    recall: Float[np.ndarray, "m"] = np.arange(count + 1, dtype=np.float64) / count
    widths = np.diff(np.minimum(ordered, limit), axis=-1, prepend=0.0)
    heights: np.ndarray = np.where(ordered < limit, (recall[:-1] + recall[1:]) / 2, recall[:-1])
    rest = limit - np.minimum(ordered[..., -1], limit)
    return np.asarray(((widths * heights).sum(axis=-1) + rest) / limit)
