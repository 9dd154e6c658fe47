"""Options of a run are validated when they are created."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tiepoint.collection.run.options import CollectionOptions
from tiepoint.errors import InvalidInput, MissingDependency


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"pairs": "everything"}, "everything"),
        ({"pairs": "list:nowhere.txt"}, "nowhere.txt"),
        ({"preset": "sift"}, "sift"),
        ({"executor": "threads:3"}, "threads:3"),
        ({"load": {"views": "rotation"}}, "views"),
        ({"load": {"latency_budget_ms": 100}}, "latency_budget_ms"),
        ({"prescreen": 2}, "prescreen"),
        ({"prescreen": 0.5, "preset": "aliked-t16+nearest"}, "no calibration"),
        ({"max_error_px": 0}, "max_error_px"),
        ({"max_error_px": float("inf")}, "max_error_px"),
    ],
    ids=[
        "pairs",
        "list",
        "preset",
        "executor",
        "views",
        "latency",
        "prescreen",
        "uncalibrated",
        "zero",
        "infinite",
    ],
)
def test_invalid_options(options: dict[str, Any], value: str) -> None:
    with pytest.raises(InvalidInput, match=value):
        CollectionOptions(**options)


@pytest.mark.parametrize(
    ("given", "stored"), [("fast", "xfeat+lighterglue"), ("aliked+nearest", "aliked+nearest")]
)
def test_the_full_name_of_the_preset_is_stored(given: str, stored: str) -> None:
    assert CollectionOptions(preset=given).to_dict()["preset"] == stored


@pytest.mark.parametrize(("pairs", "module"), [("retrieval:2", "faiss"), ("spatial:2", "scipy.spatial")])
def test_missing_library(pairs: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=module.partition(".")[0]):
        CollectionOptions(pairs=pairs)


def test_weights_are_stored_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = CollectionOptions(load={"matcher_weights": Path("own.pth"), "resize": 640})
    assert options.to_dict()["load"] == {"matcher_weights": str(tmp_path / "own.pth"), "resize": 640}


def test_stored_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pairs.txt").touch()
    monkeypatch.chdir(tmp_path)
    options = CollectionOptions(pairs="list:pairs.txt", max_error_px=3, load={"resize": 640})
    assert options.to_dict() == {
        "pairs": f"list:{tmp_path / 'pairs.txt'}",
        "preset": "aliked+lightglue",
        "executor": "serial",
        "verify": True,
        "max_error_px": 3.0,
        "threads": None,
        "prescreen": "auto",
        "load": {"resize": 640},
    }
