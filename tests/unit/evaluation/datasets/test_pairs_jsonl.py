"""pairs.jsonl: one line of every type, and every kind of invalid line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset, read_disparity
from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)

K = [70.0, 0, 31, 0, 72, 24, 0, 0, 1]


T = [1.0, 0, 0, -1, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]  # rotation by 90 degrees about x


IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]


def row(kind: str, **values: Any) -> dict[str, Any]:
    return {"set": kind.lower(), "scene": "s", "a": "a.png", "b": "b.png", "type": kind} | values


ROWS = {
    "H": row("H", H=[1.0, 0, 2, 0, 1, 3, 0, 0, 1]),
    "pose": row("pose", K0=K, K1=K, T=T, dist=[-0.03, 0, 0, 0], gap=2, rot_deg=90),
    "corr": row("corr", pts=[[1, 2, 3, 4], [5, 6, 7, 8.5]], labels=[1, 2]),
    "disp": row("disp", disp="d.png", scale=4.0),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    disparity = np.zeros((48, 64), dtype=np.uint8)
    disparity[1, 2] = 10
    Image.fromarray(disparity).save(tmp_path / "d.png")
    write(tmp_path, *ROWS.values())
    return tmp_path


def write(folder: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "pairs.jsonl"


def test_every_type(folder: Path) -> None:
    dataset = read_dataset("pairs-jsonl", folder)
    assert dataset.problems == ()
    assert [pair.name for pair in dataset.pairs] == ["h/s/a-b", "pose/s/a-b", "corr/s/a-b", "disp/s/a-b"]
    homography, pose, points, disparity = (pair.truth for pair in dataset.pairs)
    assert isinstance(homography, HomographyGroundTruth)
    assert homography.homography.tolist() == [[1, 0, 2], [0, 1, 3], [0, 0, 1]]
    assert isinstance(pose, PoseGroundTruth)
    assert pose.camera0.distortion == (-0.03, 0, 0, 0)
    assert pose.cam1_from_cam0.tolist() == np.reshape(T, (4, 4))[:3].tolist()
    assert dataset.pairs[1].tags == {"rot_deg": 90.0, "gap": 2}
    assert isinstance(points, PointsGroundTruth)
    assert (points.points0.tolist(), points.points1.tolist()) == ([[1, 2], [5, 6]], [[3, 4], [7, 8.5]])
    assert points.motions == 2
    assert isinstance(disparity, DisparityGroundTruth)


def test_one_set(folder: Path) -> None:
    for path in (f"{folder}#corr", f"{folder / 'pairs.jsonl'}#corr", Path(f"{folder}#corr")):
        dataset = read_dataset("pairs-jsonl", path)
        assert [pair.name for pair in dataset.pairs] == ["s/a-b"]
        assert dataset.name == "pairs-jsonl#corr"


def test_an_unknown_set(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'x'.*corr, disp, h, pose"):
        read_dataset("pairs-jsonl", f"{folder}#x")


def test_disparities_in_px(folder: Path) -> None:
    truth = read_dataset("pairs-jsonl", f"{folder}#disp").pairs[0].truth
    assert isinstance(truth, DisparityGroundTruth)
    disparity = read_disparity(truth)
    assert disparity.shape == (48, 64)
    assert disparity[1, 2] == 2.5
    assert np.isnan(disparity).sum() == 48 * 64 - 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('{"set": "h", "scene":', "not valid JSON"),
        ("[1, 2]", "got list"),
        (ROWS["H"] | {"scene": 3}, "scene must be a string, got 3"),
        ({"set": "h"}, "scene must be a string, got None"),
        (row("F", F=IDENTITY), "unknown type 'F'"),
        (row("H"), "a row of type H needs H"),
        (row("H", H=IDENTITY[:8]), "H must be 9 finite numbers, got 8"),
        (row("H", H=3), "H must be 9 numbers"),
        (row("H", H=[0] * 9), "is singular"),
        (ROWS["H"] | {"a": "c.png"}, "c.png not found"),
        (ROWS["pose"] | {"K0": IDENTITY}, "principal point"),
        (ROWS["pose"] | {"K1": [0] * 9}, "singular"),
        (ROWS["pose"] | {"T": T[:12]}, "T must be 16 finite numbers, got 12"),
        (ROWS["pose"] | {"T": IDENTITY + [0] * 7}, "last row of a pose"),
        (ROWS["pose"] | {"dist": [0.1] * 5}, "expected (k1, k2, p1, p2)"),
        (ROWS["pose"] | {"dist": 0.1}, "dist must be a list"),
        (ROWS["corr"] | {"pts": []}, "pts must be"),
        (ROWS["corr"] | {"pts": [[1, 2, 3]]}, "a row of pts must be 4 finite numbers, got 3"),
        (ROWS["corr"] | {"pts": [3]}, "a row of pts must be 4 numbers"),
        (ROWS["corr"] | {"labels": [1]}, "labels must have"),
        (ROWS["disp"] | {"scale": 0}, "scale must be positive"),
        (ROWS["disp"] | {"disp": "e.png"}, "e.png not found"),
        (ROWS["disp"] | {"disp": ["d.png"]}, "disp must be a string"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value and "{" not in value else "line",
)
def test_an_invalid_line_is_reported_and_the_rest_is_read(folder: Path, line: Any, text: str) -> None:
    file = write(folder, ROWS["H"], line, ROWS["corr"])
    dataset = read_dataset("pairs-jsonl", folder)
    assert len(dataset) == 2
    assert len(dataset.problems) == 1
    assert dataset.problems[0].startswith(f"{file}:2: ")
    assert text in dataset.problems[0]
    assert "\n" not in dataset.problems[0]


def test_a_disparity_of_another_size(folder: Path) -> None:
    Image.new("L", (10, 10)).save(folder / "d.png")
    assert "d.png must have the size of" in read_dataset("pairs-jsonl", folder).problems[0]
