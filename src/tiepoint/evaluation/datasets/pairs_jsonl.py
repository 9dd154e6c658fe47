"""pairs.jsonl: pairs of several data sets in one file, one JSON object per line, with any type of ground truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import DatasetBuilder
from tiepoint.evaluation.datasets.checks import (
    checked_camera,
    checked_pose,
    homography_ground_truth,
    rotation_tag,
)
from tiepoint.evaluation.datasets.parsing import pair_name, parse_numbers, read_lines, split_subset
from tiepoint.evaluation.ground_truth import (
    Dataset,
    DisparityGroundTruth,
    EvaluationPair,
    GroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.io.messages import unknown_name

FILE_NAME = "pairs.jsonl"


def read_pairs_jsonl(path: str | Path) -> Dataset:
    """Read pairs.jsonl.

    Each line is a JSON object with `set`, `scene`, `a`, `b` (images, relative to the file), `type`, and by type:

        H     H: 9 numbers, p_b ~ H p_a in px
        pose  K0, K1: 9 numbers each; T: 16, cam_b_from_cam_a; dist: up to [k1, k2, p1, p2], for both images
        corr  pts: rows [xa, ya, xb, yb], annotated manually; labels: index of the motion of each row
        disp  disp: disparity image; x_b = x_a - disp / scale

    `gap` becomes a tag.

    Args:
        path: The file, or a folder that contains a pairs.jsonl. Append "#strecha" to select the rows of one set.

    Raises:
        InvalidInput: If the file does not exist, or has no rows of the set.
    """
    location, subset = split_subset(path)
    listing = location / FILE_NAME if location.is_dir() else location
    if not listing.is_file():
        raise InvalidInput(f"{location} has no {FILE_NAME}: expected a file with one JSON object per line")
    builder, sets = DatasetBuilder(), set()
    for number, line in read_lines(listing):
        with builder.skip_invalid(listing, number):
            row = _parse(line)
            sets.add(row["set"])
            if subset in ("", row["set"]):
                builder.add(_pair(row, listing.parent, builder, prefix="" if subset else f"{row['set']}/"))
    if subset and subset not in sets:
        raise InvalidInput(
            f"{listing} has no rows of the set {subset!r}; available: {', '.join(sorted(sets))}"
        )
    return builder.dataset("pairs-jsonl" + (f"#{subset}" if subset else ""))


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not valid JSON ({error}); the line may be truncated") from error
    if not isinstance(row, dict):
        raise InvalidInput(f"expected a JSON object, got {type(row).__name__}")
    for key in ("set", "scene", "a", "b", "type"):
        if not isinstance(row.get(key), str):
            raise InvalidInput(f"{key} must be a string, got {row.get(key)!r}")
    return row


def _pair(row: dict[str, Any], folder: Path, builder: DatasetBuilder, *, prefix: str) -> EvaluationPair:
    if row["type"] not in PARSERS:
        raise InvalidInput(unknown_name("type", row["type"], PARSERS))
    try:
        truth = PARSERS[row["type"]](row, folder, builder)
    except KeyError as error:
        raise InvalidInput(f"a row of type {row['type']} needs {error.args[0]}, which is missing") from error
    tags = rotation_tag(truth) if isinstance(truth, PoseGroundTruth) else {}
    if isinstance(row.get("gap"), int | float):
        tags["gap"] = row["gap"]
    image0, image1 = folder / row["a"], folder / row["b"]
    name = prefix + pair_name(row["scene"], image0, image1)
    return EvaluationPair(name=name, scene=row["scene"], image0=image0, image1=image1, truth=truth, tags=tags)


def _homography(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> HomographyGroundTruth:
    return homography_ground_truth(parse_numbers(row["H"], 9, "H"))


def _pose(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> PoseGroundTruth:
    lens = tuple(_numbers_list(row, "dist").tolist()) if "dist" in row else None
    K0, K1 = (parse_numbers(row[key], 9, key).reshape(3, 3) for key in ("K0", "K1"))
    return PoseGroundTruth(
        camera0=checked_camera(K0, builder.image_size(folder / row["a"]), lens),
        camera1=checked_camera(K1, builder.image_size(folder / row["b"]), lens),
        cam1_from_cam0=checked_pose(parse_numbers(row["T"], 16, "T").reshape(4, 4)),
    )


def _points(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> PointsGroundTruth:
    if not isinstance(row["pts"], list) or not row["pts"]:
        raise InvalidInput("pts must be a non-empty list of rows [xa, ya, xb, yb]")
    points = np.stack([parse_numbers(point, 4, "a row of pts") for point in row["pts"]])
    labels = _numbers_list(row, "labels") if "labels" in row else np.ones(len(points))
    if len(labels) != len(points):
        raise InvalidInput(f"labels must have one value per row of pts ({len(points)}), got {len(labels)}")
    return PointsGroundTruth(points0=points[:, :2], points1=points[:, 2:], motions=len(np.unique(labels)))


def _disparity(row: dict[str, Any], folder: Path, builder: DatasetBuilder) -> DisparityGroundTruth:
    scale = float(parse_numbers([row["scale"]], 1, "scale")[0])
    if scale <= 0:
        raise InvalidInput(f"scale must be positive, got {scale}")
    if not isinstance(row["disp"], str):
        raise InvalidInput(f"disp must be a string, got {row['disp']!r}")
    disparity, image = folder / row["disp"], folder / row["a"]
    if builder.image_size(disparity) != builder.image_size(image):
        raise InvalidInput(f"{disparity} must have the size of {image}")
    return DisparityGroundTruth(path=disparity, scale=scale)


def _numbers_list(row: dict[str, Any], key: str) -> np.ndarray:
    """Return a list of finite numbers of any length."""
    if not isinstance(row[key], list):
        raise InvalidInput(f"{key} must be a list, got {row[key]!r}")
    return parse_numbers(row[key], len(row[key]), key)


PARSERS: dict[str, Callable[[dict[str, Any], Path, DatasetBuilder], GroundTruth]] = {
    "H": _homography,
    "pose": _pose,
    "corr": _points,
    "disp": _disparity,
}
# Type of a row -> function that parses its ground truth
