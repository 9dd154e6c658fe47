"""Track points through the Freiburg sequence with tiepoint and with OpenCV's optical flow.

    python -m benchmarks tracking          # two minutes on one thread
    python -m benchmarks tracking render   # update docs/how-to/track-points.md from the record

Seventeen images of a desk, one second apart, from a hand-held camera. Two frames of a rigid scene have an epipolar geometry;
that between every two frames is estimated from an independent match (DISK and LightGlue), so that tracks do not confirm
themselves. A point is an inlier if its Sampson distance is at most `MAX_ERROR_PX`.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

import tiepoint
from benchmarks.paths import DATA
from benchmarks.records import Record, about, add_records_argument, write_record
from tiepoint.geometry.multiview import sampson_distances
from tiepoint.image.listing import find_images
from tiepoint.video import Observations

RECORD = "tracking.json"
SEQUENCE = DATA / "superglue_assets" / "freiburg_sequence"
GAPS = (1, 2, 4)
MAX_ERROR_PX = 2.0
MAX_KEYPOINTS = 1024
MIN_INLIERS = 50
"""Minimum number of inliers of the independent match; with fewer its geometry is not reliable."""

MAX_FORWARD_BACKWARD_ERROR_PX = 1.0
CORNER_DISTANCE_PX = 5
CORNER_QUALITY = 0.001

Fundamentals = dict[tuple[int, int], np.ndarray]
"""(first frame, last frame) -> fundamental matrix."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure and write the record."""
    paths = find_images(SEQUENCE)
    fundamentals = estimate_fundamentals(paths)
    methods = {
        "`tiepoint track`": tiepoint.track(paths, max_keypoints=MAX_KEYPOINTS),
        "OpenCV's optical flow": track_optical_flow(paths),
    }
    record = {
        "about": about(1),
        "frames": len(paths),
        "keypoints": MAX_KEYPOINTS,
        "max_error_px": MAX_ERROR_PX,
        "pairs": {str(gap): sum(last - first == gap for first, last in fundamentals) for gap in GAPS},
        "rows": [describe(name, tracks, fundamentals) for name, tracks in methods.items()],
    }
    write_record(arguments.records, RECORD, record)


def estimate_fundamentals(paths: Sequence[Path]) -> Fundamentals:
    """Estimate the geometry between frames from an independent match; pairs with few inliers are left out."""
    matcher = tiepoint.load("disk+lightglue", max_keypoints=1024, resize=640)
    features = [matcher.extract(path) for path in paths]
    pairs = [(first, first + gap) for gap in GAPS for first in range(len(paths) - gap)]
    fundamentals: Fundamentals = {}
    for first, last in pairs:
        (result,) = matcher.match_features([(features[first], features[last])])
        estimate = tiepoint.estimate_fundamental(result, max_error_px=1.0)
        if estimate.matrix is not None and estimate.num_inliers >= MIN_INLIERS:
            fundamentals[first, last] = estimate.matrix
    return fundamentals


def describe(name: str, tracks: tiepoint.Tracks, fundamentals: Fundamentals) -> Record:
    """Return one row of the table."""
    return {
        "name": name,
        "tracks": len(tracks),
        "median_length": float(np.median(tracks.lengths)),
        "mean_length": float(tracks.lengths.mean()),
        "longest": int(tracks.lengths.max()),
        "keyframes": len(tracks.keyframes),
        "gaps": {str(gap): inliers(tracks, fundamentals, gap) for gap in GAPS},
    }


def inliers(tracks: tiepoint.Tracks, fundamentals: Fundamentals, gap: int) -> dict[str, float]:
    """Return the mean number of points that frames share, and the fraction of inliers."""
    errors = [
        sampson_distances(*(points.astype(np.float64) for points in tracks.between(*pair)), F)
        for pair, F in fundamentals.items()
        if pair[1] - pair[0] == gap
    ]
    return {
        "points": float(np.mean([len(pair_errors) for pair_errors in errors])),
        "share": float((np.concatenate(errors) <= MAX_ERROR_PX).mean()),
    }


def track_optical_flow(paths: Sequence[Path]) -> tiepoint.Tracks:
    """Track with pyramidal Lucas-Kanade and a forward-backward check; lost points are replaced by new corners."""
    gray = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    points, ids, num_tracks = np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 0
    parts = []
    for frame, (image, next_image) in enumerate(pairwise(gray)):
        corners = detect_corners(image, points)
        ids = np.concatenate([ids, np.arange(num_tracks, num_tracks + len(corners))])
        points, num_tracks = np.concatenate([points, corners]), num_tracks + len(corners)
        moved, is_tracked = optical_flow(image, next_image, points)
        is_new = ids[is_tracked] >= num_tracks - len(corners)
        parts.append(Observations.in_frame(frame, ids[is_tracked][is_new], points[is_tracked][is_new], 1.0))
        points, ids = moved[is_tracked], ids[is_tracked]
        parts.append(Observations.in_frame(frame + 1, ids, points, 1.0))
    joined = Observations.joined(parts)
    _, track_ids = np.unique(joined.track_ids, return_inverse=True)
    observations = Observations(
        track_ids=track_ids.astype(np.int32), frames=joined.frames, points=joined.points, scores=joined.scores
    )
    return tiepoint.Tracks.of(observations, num_frames=len(paths), image_size=gray[0].shape[::-1])


def detect_corners(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Detect as many corners as are missing, away from the existing points."""
    mask = np.full(image.shape, 255, np.uint8)
    for x, y in points.round().astype(int).tolist():
        cv2.circle(mask, (x, y), CORNER_DISTANCE_PX, 0, -1)
    missing = MAX_KEYPOINTS - len(points)
    if missing <= 0:
        return np.zeros((0, 2), np.float32)
    corners = cv2.goodFeaturesToTrack(image, missing, CORNER_QUALITY, CORNER_DISTANCE_PX, mask=mask)
    return np.zeros((0, 2), np.float32) if corners is None else corners.reshape(-1, 2)


def optical_flow(
    image: np.ndarray, next_image: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points in the next image, and which of them passed the forward-backward check."""
    settings = {"winSize": (21, 21), "maxLevel": 4}
    moved, forward, _ = cv2.calcOpticalFlowPyrLK(image, next_image, points, None, **settings)
    returned, backward, _ = cv2.calcOpticalFlowPyrLK(next_image, image, moved, None, **settings)
    is_close = np.linalg.norm(returned - points, axis=1) <= MAX_FORWARD_BACKWARD_ERROR_PX
    is_inside = ((moved >= 0) & (moved <= np.array(image.shape[::-1]) - 1)).all(axis=1)
    return moved, (forward.ravel() == 1) & (backward.ravel() == 1) & is_close & is_inside
