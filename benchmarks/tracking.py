"""How well points are followed through the Freiburg sequence, beside OpenCV's optical flow; into docs/robust-matching.md.

    .venv/bin/python benchmarks/tracking.py            # two minutes on one thread; record and table
    .venv/bin/python benchmarks/tracking.py --render   # the table anew from the record

Seventeen photographs of a desk, a second apart, by a camera in the hand. Two frames of one rigid scene have an epipolar
geometry; that between every two frames is estimated from an independent match (DISK and LightGlue), so that tracks
don't vouch for themselves. A point agrees where its Sampson distance is at most `MAX_ERROR_PX`.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import tiepoint
from pages import replaced
from tiepoint.geometry.multiview import sampson_distances
from tiepoint.image.listing import find_images
from tiepoint.video import Observations
from timing import RECORDS, about

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "robust-matching.md"
SEQUENCE = ROOT.parent / "shared" / "data" / "superglue_assets" / "freiburg_sequence"
RECORD = RECORDS / "tracking.json"
GAPS = (1, 2, 4)
MAX_ERROR_PX = 2.0
KEYPOINTS = 1024
LEAST_INLIERS = 50  # of the independent match; with fewer its geometry isn't to be trusted
FLOW_RETURNS_PX = 1.0  # optical flow back from where a point went must end so near to where it began

Fundamentals = dict[tuple[int, int], np.ndarray]


def main() -> None:
    """Measure, write the record, rewrite the page's part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--render", action="store_true", help="measure nothing")
    if not parser.parse_args().render:
        RECORD.write_text(json.dumps(measure(), indent=1) + "\n")
    PAGE.write_text(
        replaced(PAGE.read_text(), "tracking", ["\n".join(table(json.loads(RECORD.read_text())))])
    )


def measure() -> dict[str, Any]:
    """The record."""
    paths = find_images(SEQUENCE)
    truths = fundamentals(paths)
    contestants = {
        "`tiepoint track`": tiepoint.track(paths, max_keypoints=KEYPOINTS),
        "OpenCV's optical flow": optical_flow(paths),
    }
    rows = [describe(name, tracks, truths) for name, tracks in contestants.items()]
    return {
        "about": about(1),
        "frames": len(paths),
        "keypoints": KEYPOINTS,
        "max_error_px": MAX_ERROR_PX,
        "pairs": {str(gap): sum(last - first == gap for first, last in truths) for gap in GAPS},
        "rows": rows,
    }


def fundamentals(paths: Sequence[Path]) -> Fundamentals:
    """The geometry between frames, of an independent match, where there is enough of it."""
    matcher = tiepoint.load("disk+lightglue", max_keypoints=1024, resize=640)
    features = [matcher.extract(path) for path in paths]
    pairs = [(first, first + gap) for gap in GAPS for first in range(len(paths) - gap)]
    found: Fundamentals = {}
    for first, last in pairs:
        (result,) = matcher.match_features([(features[first], features[last])])
        estimate = tiepoint.estimate_fundamental(result, max_error_px=1.0)
        if estimate.matrix is not None and estimate.num_inliers >= LEAST_INLIERS:
            found[first, last] = estimate.matrix
    return found


def describe(name: str, tracks: tiepoint.Tracks, truths: Fundamentals) -> dict[str, Any]:
    """One row of the table."""
    return {
        "name": name,
        "tracks": len(tracks),
        "median_length": float(np.median(tracks.lengths)),
        "mean_length": float(tracks.lengths.mean()),
        "longest": int(tracks.lengths.max()),
        "keyframes": len(tracks.keyframes),
        "gaps": {str(gap): agreement(tracks, truths, gap) for gap in GAPS},
    }


def agreement(tracks: tiepoint.Tracks, truths: Fundamentals, gap: int) -> dict[str, float]:
    """Points that frames so far apart share: how many a pair, and which share of all agrees."""
    errors = [
        sampson_distances(*(points.astype(np.float64) for points in tracks.between(*pair)), F)
        for pair, F in truths.items()
        if pair[1] - pair[0] == gap
    ]
    together = np.concatenate(errors)
    return {
        "points": float(np.mean([len(each) for each in errors])),
        "share": float((together <= MAX_ERROR_PX).mean()),
    }


def optical_flow(paths: Sequence[Path]) -> tiepoint.Tracks:
    """Lucas and Kanade in a pyramid, checked by going back; lost points are replaced by new corners."""
    gray = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    points, ids, count = np.zeros((0, 2), np.float32), np.zeros(0, np.int64), 0
    parts = []
    for frame, (image, following) in enumerate(pairwise(gray)):
        fresh = new_corners(image, points)
        ids = np.concatenate([ids, np.arange(count, count + len(fresh))])
        points, count = np.concatenate([points, fresh]), count + len(fresh)
        moved, kept = flow(image, following, points)
        born = ids[kept] >= count - len(fresh)
        parts.append(Observations.in_frame(frame, ids[kept][born], points[kept][born], 1.0))
        points, ids = moved[kept], ids[kept]
        parts.append(Observations.in_frame(frame + 1, ids, points, 1.0))
    joined = Observations.joined(parts)
    _, numbers = np.unique(joined.track_ids, return_inverse=True)
    numbered = Observations(
        track_ids=numbers.astype(np.int32), frames=joined.frames, points=joined.points, scores=joined.scores
    )
    return tiepoint.Tracks.of(numbered, num_frames=len(paths), image_size=gray[0].shape[::-1])


def new_corners(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """As many corners as are missing, away from the points that there are."""
    mask = np.full(image.shape, 255, np.uint8)
    for x, y in points.round().astype(int).tolist():
        cv2.circle(mask, (x, y), 5, 0, -1)
    missing = KEYPOINTS - len(points)
    found = cv2.goodFeaturesToTrack(image, missing, 0.001, 5, mask=mask) if missing > 0 else None
    return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2)


def flow(image: np.ndarray, following: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the points went, and which of them came back."""
    settings = {"winSize": (21, 21), "maxLevel": 4}
    moved, there, _ = cv2.calcOpticalFlowPyrLK(image, following, points, None, **settings)
    returned, back, _ = cv2.calcOpticalFlowPyrLK(following, image, moved, None, **settings)
    near = np.linalg.norm(returned - points, axis=1) <= FLOW_RETURNS_PX
    inside = ((moved >= 0) & (moved <= np.array(image.shape[::-1]) - 1)).all(axis=1)
    return moved, (there.ravel() == 1) & (back.ravel() == 1) & near & inside


def table(record: dict[str, Any]) -> list[str]:
    """The page's part."""
    gaps = [str(gap) for gap in GAPS]
    between = [f"points in frames {gap} s apart" for gap in gaps] + [
        f"of them agree, {gap} s" for gap in gaps
    ]
    heads = ["", "tracks", "mean length", "median", "longest", *between]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for row in record["rows"]:
        figures = [f"{row['gaps'][gap]['points']:.0f}" for gap in gaps]
        figures += [f"{100 * row['gaps'][gap]['share']:.1f} %" for gap in gaps]
        lengths = [f"{row['mean_length']:.1f}", f"{row['median_length']:g}", str(row["longest"])]
        lines.append(" | ".join([row["name"], str(row["tracks"]), *lengths, *figures]))
    pairs = ", ".join(f"{record['pairs'][gap]} pairs {gap} s apart" for gap in gaps)
    return [
        *(f"| {line} |" for line in lines),
        "",
        f"{record['frames']} frames, at most {record['keypoints']} points in each; lengths in frames. A point agrees "
        f"within {record['max_error_px']:g} px of the epipolar geometry of an independent match (DISK and LightGlue; {pairs}). "
        f"`python benchmarks/tracking.py`, {record['about']['date']}.",
    ]


if __name__ == "__main__":
    main()
