"""How far an estimate lies from the truth, and how errors become one figure. Pure NumPy, float64.

A failure (`None`) is an infinite error: it counts in every mean and AUC, and never as an identity.

    pose         rotation_error_deg, translation_error_deg, pose_error_deg
    homography   corner_error_px, homography_errors_px, homography_precision, homography_recall
    epipolar     epipolar_errors, epipolar_precision, epipolar_errors_px
    disparity    disparity_errors_px
    of errors    accuracy, mean_average_accuracy, auc
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
    """The angle of the rotation from one to the other, in [0, 180] degrees."""
    cosine = (np.trace(estimated.T.astype(np.float64) @ true) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def translation_error_deg(estimated: Float[np.ndarray, "3"], true: Float[np.ndarray, "3"]) -> float:
    """The angle between two directions of translation up to their sign, in [0, 90] degrees.

    The sign is free because SuperGlue, LoFTR and LightGlue leave it free: an essential matrix doesn't hold it.

    Returns:
        0 where the true translation is zero and has no direction; 90 where only the estimate has none.
    """
    length, true_length = np.linalg.norm(estimated), np.linalg.norm(true)
    if true_length == 0:
        return 0.0
    if length == 0:
        return 90.0
    cosine = estimated.astype(np.float64) @ true / (length * true_length)
    return float(np.rad2deg(np.arccos(np.clip(abs(cosine), 0, 1))))


def pose_error_deg(estimated: Float[np.ndarray, "3 4"] | None, true: Float[np.ndarray, "3 4"]) -> float:
    """The larger one of rotation and translation error, in degrees; inf where estimation failed.

    Args:
        estimated: cam1_from_cam0, or None.
        true: cam1_from_cam0; neither translation needs a scale.

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
    """Mean distance in image 1 between where two homographies send the corners of image 0, in px.

    Args:
        estimated: p1 ~ H p0, or None.
        true: likewise.
        image_size0: (width, height) in px; corners are (0, 0), (w, 0), (w, h), (0, h), as in glue-factory.

    Returns:
        inf where estimation failed, or a corner goes to infinity.

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
    """Mean of the transfer errors of each match in image 1 and, with the inverse, in image 0, in px.

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
    """Share of the matches that lie closer than each threshold to the true homography; 0 without matches."""
    return accuracy(homography_errors_px(points0, points1, homography), thresholds_px)


def homography_recall(
    matches: Int[np.ndarray, "k 2"],
    keypoints0: Float[np.ndarray, "m 2"],
    keypoints1: Float[np.ndarray, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = 3.0,
) -> float:
    """Share of the true matches that were found; NaN where the keypoints allow none, so that there's no recall.

    Args:
        matches: index pairs (into keypoints0, into keypoints1).
        keypoints0: all that were detected, (x, y) in px.
        keypoints1: likewise, of image 1.
        homography: the truth, p1 ~ H p0.
        max_error_px: see `ground_truth_matches`.
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
    """Squared symmetric epipolar distance: the sum of the squares of the distances in the two images.

    Args:
        points0: on the plane z = 1 with E; in px with F.
        points1: likewise.
        essential: the true E or F.

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
    """Share of the matches that agree with the true motion, as SuperGlue counts it; 0 without matches.

    Args:
        points0: (x, y) in px; undistort first where a lens distorts.
        points1: likewise.
        cam1_from_cam0: the truth.
        intrinsics0: K of image 0.
        intrinsics1: K of image 1.
        max_error: of the squared symmetric epipolar distance on the plane z = 1, without unit; SuperGlue takes
            5e-4 on ScanNet and 1e-4 outdoors.

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
    """How far matches lie from their epipolar lines: the larger one of the two images, in px.

    With the true F and found matches, `accuracy` of these is the epipolar precision in px; with the estimated F
    and hand-marked points, it is the share of points that the estimate explains, and `mean_average_accuracy` over
    1, 2 ... 20 px is WxBS's mAA. inf for all where F is None.

    Source: WxBS (arXiv 1504.06603), section 4, which measures in both images too.
    """
    if fundamental is None:
        return np.full(len(points0), np.inf)
    return epipolar_distances(points0, points1, fundamental).max(axis=1)


def disparity_errors_px(
    points0: Float[np.ndarray, "k 2"],
    points1: Float[np.ndarray, "k 2"],
    disparity_px: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "k"]:
    """How far matches of a rectified pair lie from the true place in image 1, in px.

    Args:
        points0: (x, y) in px.
        points1: likewise.
        disparity_px: of image 0: x1 = x0 - disparity; NaN = unknown. The nearest pixel counts, since
            disparities aren't to be mixed across an edge.

    Returns:
        NaN where the truth is unknown: leave these out.
    """
    height, width = disparity_px.shape
    columns = np.clip(np.rint(points0[:, 0]).astype(np.int64), 0, width - 1)
    rows = np.clip(np.rint(points0[:, 1]).astype(np.int64), 0, height - 1)
    true = points0.astype(np.float64) - np.column_stack([disparity_px[rows, columns], np.zeros(len(points0))])
    return np.linalg.norm(points1 - true, axis=1)


def accuracy(errors: Float[np.ndarray, "k"], thresholds: Sequence[float]) -> Float[np.ndarray, "thresholds"]:
    """Share of the errors that are smaller than each threshold; 0 where there are none.

    Args:
        errors: inf = failure; NaN = the truth is unknown, left out.
        thresholds: in the unit of the errors.
    """
    known = errors[~np.isnan(errors)]
    return np.array([np.mean(known < limit) if len(known) else 0.0 for limit in thresholds])


def mean_average_accuracy(errors: Float[np.ndarray, "k"], thresholds: Sequence[float]) -> float:
    """mAA: the mean of `accuracy` over the thresholds.

    Source: Image Matching across Wide Baselines (arXiv 2003.01587), section 4.3.
    """
    return float(accuracy(errors, thresholds).mean())


def auc(
    errors: Float[np.ndarray, "*batch n"], thresholds: Sequence[float]
) -> Float[np.ndarray, "*batch thresholds"]:
    """Area under the curve of recall over error, from 0 to each threshold, divided by the threshold.

    The curve runs through (0, 0) and (i-th smallest error, i / n), straight in between, and is flat from the
    last error below the threshold on.

    Args:
        errors: one a pair; inf or NaN = failure. Leading axes are further samples, for the bootstrap.
        thresholds: above 0, in the unit of the errors.

    Returns:
        In [0, 1]. Tables show it times 100; glue-factory rounds it to four digits first.

    Raises:
        InvalidInput: no errors, a negative error, or a threshold that isn't above 0.

    Source: `pose_auc` of SuperGlue's `models/utils.py`.
    """
    if errors.shape[-1] == 0 or min(thresholds) <= 0 or (errors < 0).any():
        raise InvalidInput(
            f"auc needs one error or more, none below 0, and thresholds above 0, but got {errors.shape[-1]} errors "
            f"and thresholds {list(thresholds)}; was any pair scored?"
        )
    ordered = np.sort(np.where(np.isnan(errors), np.inf, errors.astype(np.float64)), axis=-1)
    return np.stack([_area(ordered, float(limit)) for limit in thresholds], axis=-1)


def _area(ordered: Float[np.ndarray, "*batch n"], limit: float) -> Float[np.ndarray, "*batch"]:
    """Sum of strips between neighboring errors, each cut at `limit`; strips that reach it are rectangles."""
    count = ordered.shape[-1]
    recall = np.arange(count + 1) / count
    widths = np.diff(np.minimum(ordered, limit), axis=-1, prepend=0.0)
    heights = np.where(ordered < limit, (recall[:-1] + recall[1:]) / 2, recall[:-1])
    rest = limit - np.minimum(ordered[..., -1], limit)
    return np.asarray(((widths * heights).sum(axis=-1) + rest) / limit)
