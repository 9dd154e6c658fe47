"""List of warps: read as written, and refused with invalid values."""

import json
from pathlib import Path
from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.training.data.warp_list import FORMAT, WARPS, read_warps

IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
WARP = {"file": "a-0.png", "size": [64, 48], "image_from_warp": IDENTITY, "digest": "0"}


def write_list(folder: Path, warp: dict[str, Any], count: int = 2) -> None:
    """Write a list of one image whose first warp is given."""
    warps = [warp, *({**WARP, "file": f"a-{index}.png"} for index in range(1, count))]
    images = [{"key": "1", "source": "a.jpg", "warps": warps}]
    (folder / WARPS).write_text(json.dumps({"format": FORMAT, "images": images}))


def test_values_are_read(tmp_path: Path) -> None:
    write_list(tmp_path, WARP)
    listed = read_warps(tmp_path)
    (image,) = listed.images
    assert (image.key, image.source, len(image.warps)) == ("1", "a.jpg", 2)
    assert (image.warps[0].path, image.warps[0].size) == (tmp_path / "a-0.png", (64, 48))
    assert image.warps[0].homography.tolist() == IDENTITY
    write_list(tmp_path, {**WARP, "size": [64, 49]})
    assert read_warps(tmp_path).digest != listed.digest


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "1", '{"format": 2}', '{"format": 1, "images": []}', '{"format": 2, "images": [1]}'],
)
def test_damaged_lists_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / WARPS).write_text(content)
    with pytest.raises(InvalidInput, match="write the warps again"):
        read_warps(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", [64]),
        ("size", [64, 0]),
        ("size", [64.5, 48]),
        ("size", "64"),
        ("file", "../a.png"),
        ("file", "/a.png"),
        ("file", "a-1.png"),
        ("image_from_warp", [1, 2, 3]),
        ("image_from_warp", [[1, 0, 0], [0, 1], [0, 0, 1]]),
        ("image_from_warp", [[0, 0, 0]] * 3),
        ("image_from_warp", [[float("nan"), 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_invalid_values_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    write_list(tmp_path, {**WARP, name: value})
    with pytest.raises(InvalidInput, match="write the warps again"):
        read_warps(tmp_path)


def test_a_single_warp_is_no_pair(tmp_path: Path) -> None:
    write_list(tmp_path, WARP, count=1)
    with pytest.raises(InvalidInput, match="at least 2 warps"):
        read_warps(tmp_path)
