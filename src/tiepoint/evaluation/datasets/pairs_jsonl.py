"""pairs.jsonl: pairs of several data sets in one file, one JSON object a line, with any kind of truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import camera_of, homography_truth, pose_from, rotation_tag
from tiepoint.evaluation.datasets.parsing import numbers, pair_name, read_lines, split_part
from tiepoint.evaluation.ground_truth import (
    Dataset,
    DisparityGroundTruth,
    EvaluationPair,
    GroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)

FILE_NAME = "pairs.jsonl"


def read_pairs_jsonl(path: str | Path) -> Dataset:
    """One JSON object a line: `set`, `scene`, `a`, `b` (images, relative to the file), `type`, and by type:

        H     H: 9 numbers, p_b ~ H p_a in px
        pose  K0, K1: 9 numbers each; T: 16, cam_b_from_cam_a; dist: up to [k1, k2, p1, p2], of both images
        corr  pts: rows [xa, ya, xb, yb], marked by hand; labels: the motion that each row belongs to
        disp  disp: image of disparities; x_b = x_a - disp / scale

    `gap` is kept as a tag.

    Args:
        path: the file, or the folder that holds a pairs.jsonl. "#strecha" behind it: the rows of this set alone.

    Raises:
        InvalidInput: no such file, or no row of this set.
    """
    location, wanted = split_part(path)
    listing = location / FILE_NAME if location.is_dir() else location
    if not listing.is_file():
        raise InvalidInput(f"{location} has no {FILE_NAME}: expected a file with one JSON object a line")
    builder, sets = DatasetBuilder(), set()
    for number, line in read_lines(listing):
        with builder.skip_invalid(listing, number):
            row = _parse(line)
            sets.add(row["set"])
            if wanted in ("", row["set"]):
                builder.add(_pair(row, listing.parent, builder, prefix="" if wanted else f"{row['set']}/"))
    if wanted and wanted not in sets:
        raise InvalidInput(f"{listing} has no rows of the set {wanted!r}; it has {', '.join(sorted(sets))}")
    return builder.dataset("pairs-jsonl" + (f"#{wanted}" if wanted else ""))


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON ({error}); is the line cut off?") from error
    if not isinstance(row, dict):
        raise InvalidInput(f"a line must hold a JSON object, but holds {type(row).__name__}")
    for key in ("set", "scene", "a", "b", "type"):
        if not isinstance(row.get(key), str):
            raise InvalidInput(f"{key} must be a text, but is {row.get(key)!r}")
    return row


def _pair(row: dict[str, Any], folder: Path, builder: DatasetBuilder, *, prefix: str) -> EvaluationPair:
    if row["type"] not in TRUTHS:
        raise InvalidInput(f"type must be one of {', '.join(TRUTHS)}, but is {row['type']!r}")
    try:
        truth = TRUTHS[row["type"]](row, folder, builder)
    except KeyError as error:
        raise InvalidInput(f"a row of type {row['type']} needs {error.args[0]}, which is missing") from error
    tags = rotation_tag(truth) if isinstance(truth, PoseGroundTruth) else {}
    if isinstance(row.get("gap"), int | float):
        tags["gap"] = row["gap"]
    image0, image1 = folder / row["a"], folder / row["b"]
    name = prefix + pair_name(row["scene"], image0, image1)
    return EvaluationPair(name=name, scene=row["scene"], image0=image0, image1=image1, truth=truth, tags=tags)


def _homography(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> HomographyGroundTruth:
    return homography_truth(numbers(row["H"], 9, "H"))


def _pose(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> PoseGroundTruth:
    lens = tuple(_numbers_list(row, "dist").tolist()) if "dist" in row else None
    K0, K1 = (numbers(row[key], 9, key).reshape(3, 3) for key in ("K0", "K1"))
    return PoseGroundTruth(
        camera0=camera_of(K0, builder.image_size(folder / row["a"]), lens),
        camera1=camera_of(K1, builder.image_size(folder / row["b"]), lens),
        cam1_from_cam0=pose_from(numbers(row["T"], 16, "T").reshape(4, 4)),
    )


def _points(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> PointsGroundTruth:
    if not isinstance(row["pts"], list) or not row["pts"]:
        raise InvalidInput("pts must be a list of rows [xa, ya, xb, yb], one or more")
    points = np.stack([numbers(point, 4, "a row of pts") for point in row["pts"]])
    labels = _numbers_list(row, "labels") if "labels" in row else np.ones(len(points))
    if len(labels) != len(points):
        raise InvalidInput(f"labels must be a list of {len(points)}, one a row of pts, but has {len(labels)}")
    return PointsGroundTruth(points0=points[:, :2], points1=points[:, 2:], motions=len(np.unique(labels)))


def _disparity(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> DisparityGroundTruth:
    scale = float(numbers([row["scale"]], 1, "scale")[0])
    if scale <= 0:
        raise InvalidInput(f"scale must be above 0, but is {scale}")
    if not isinstance(row["disp"], str):
        raise InvalidInput(f"disp must be a text, but is {row['disp']!r}")
    disparity, image = folder / row["disp"], folder / row["a"]
    if builder.image_size(disparity) != builder.image_size(image):
        raise InvalidInput(f"{disparity} must be as large as {image}, but isn't")
    return DisparityGroundTruth(path=disparity, scale=scale)


def _numbers_list(row: dict[str, Any], key: str) -> np.ndarray:
    """As many finite numbers as there are."""
    if not isinstance(row[key], list):
        raise InvalidInput(f"{key} must be a list, but is {row[key]!r}")
    return numbers(row[key], len(row[key]), key)


TRUTHS: dict[str, Callable[[dict[str, Any], Path, DatasetBuilder], GroundTruth]] = {
    "H": _homography,
    "pose": _pose,
    "corr": _points,
    "disp": _disparity,
}
"""type of a row -> function that makes its truth."""
