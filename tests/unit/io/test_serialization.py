"""Named values in .npz and .json files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.serialization import check_output_path, read_arrays, to_plain, write_arrays, write_json

CONTENTS: dict[str, Any] = {
    "points": np.arange(6.0).reshape(3, 2),
    "image_size": (640, 480),
    "count": 3,
    "name": "a.jpg",
    "missing": None,
    "seconds": {"read": 0.5, "match": 0.25},
}


def test_json_files_keep_all_values(tmp_path: Path) -> None:
    values = read_arrays(write_arrays(CONTENTS, tmp_path / "a.json"))
    assert values == {**CONTENTS, "points": [[0, 1], [2, 3], [4, 5]], "image_size": [640, 480]}


def test_npz_files_flatten_dicts_and_drop_none(tmp_path: Path) -> None:
    path = write_arrays(CONTENTS, tmp_path / "a.npz")
    values = read_arrays(path)
    assert set(values) == {"points", "image_size", "count", "name", "seconds_read", "seconds_match"}
    np.testing.assert_array_equal(values["points"], CONTENTS["points"])
    assert (values["count"], values["name"]) == (3, "a.jpg")
    assert read_arrays(path, nested=["seconds"])["seconds"] == CONTENTS["seconds"]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.npy"])
def test_other_suffixes_are_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"'{name}'.*\.npz or \.json"):
        write_arrays(CONTENTS, tmp_path / name)
    assert check_output_path(tmp_path / "a.txt", ".txt") == tmp_path / "a.txt"


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "{"), ("a.json", "[1]"), ("a.npz", "PK\3\4"), ("a.npz", "")]
)
def test_invalid_files_are_rejected(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput, match=rf"{name}"):
        read_arrays(tmp_path / name)


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.npz"):
        read_arrays(tmp_path / "missing.npz")


def test_write_json_indents_and_converts(tmp_path: Path) -> None:
    path = write_json({"path": Path("a"), "values": np.array([1, 2])}, tmp_path / "a.json")
    assert json.loads(path.read_text()) == {"path": "a", "values": [1, 2]}
    assert path.read_text().endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(float("nan"), tmp_path / "a.json")
    assert "NaN" in write_json(float("nan"), tmp_path / "a.json", allow_nan=True).read_text()


def test_to_plain_converts_nested_arrays_and_tuples() -> None:
    assert to_plain({"a": {"b": np.array([1.5])}, "c": (1, 2)}) == {"a": {"b": [1.5]}, "c": [1, 2]}
