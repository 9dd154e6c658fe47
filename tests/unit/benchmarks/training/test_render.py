"""The training part of docs/results.md shows the values of the records."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from benchmarks.programs import run

from tiepoint.training.validation import ValidationMetrics


@pytest.fixture
def record() -> dict[str, Any]:
    metrics = asdict(
        ValidationMetrics(
            precision=0.8751,
            recall=0.5,
            auc=0.25,
            matches=200.0,
            correct=100.0,
            layers=5.0,
            seconds=0.125,
            pairs=82,
        )
    )
    both = {"published": metrics, "trained": metrics | {"recall": None}}
    report = {"shape": {"layers": 5, "dim": 128}, "parameters": 1_700_000, "pairs": 30_000, "seconds": 3600.0}
    part = {"options": "--minutes 60", "report": report, "protocol": "homography-512", "figures": both}
    part |= {"thresholds": {name: {"0.1": metrics, "0.5": metrics} for name in both}}
    speed = {"name": "easy pair", "seconds": {"published": [2.0, 2.0, 9.0], "trained": [0.5, 0.5, 0.5]}}
    return {
        "about": {
            "command": "python -m benchmarks training",
            "date": "2026-11-22",
            "machine": {"processor": "a processor", "torch": "2"},
            "processes": 2,
            "images": {"train": 1570, "val": 82},
        },
        "parts": {
            "a": part,
            "c": part | {"turned": {"0": both, "90": both}},
            "d": part | {"speed": [speed]},
        },
    }


def render(record: dict[str, Any], folder: Path, *options: str) -> str:
    (folder / "training.json").write_text(json.dumps(record))
    run(["training", "render", "--records", str(folder), "--page", str(folder / "results.md"), *options])
    return (folder / "results.md").read_text()


def test_every_part_is_on_the_page(record: dict[str, Any], tmp_path: Path) -> None:
    page = render(record, tmp_path)
    assert "| trained | 87.5 | – | 25.0 | 100 | 5.0 |" in page
    assert "| published | 87.5 / 50.0, 100 | 87.5 / 50.0, 100 |" in page
    assert "| trained | 87.5 / 50.0 | 87.5 / 50.0 |" in page
    assert "| easy pair | 2.00 s | 0.50 s | 4.0 |" in page
    assert "30,000 pairs in 60 minutes" in page


def test_interpolation_is_on_the_page(record: dict[str, Any], tmp_path: Path) -> None:
    about = {"command": "python it.py", "date": "2026-11-26", "pairs": 69, "teacher_matches": 78.4}
    row = {
        "share": 0.25,
        "views": {"precision": 0.865, "recall": 0.865},
        "precision": 0.29,
        "recall": 0.29,
        "matches": 80.0,
    }
    interpolation = {"about": about, "rows": [row], "share": 0.25}
    (tmp_path / "small_preset.json").write_text(json.dumps(interpolation))
    page = render(record, tmp_path)
    assert "| 0.25 | 86.5 / 86.5 | 29.0 / 29.0 | 80 |" in page
    assert "69 pairs" in page


def test_check_finds_an_outdated_page(record: dict[str, Any], tmp_path: Path) -> None:
    render(record, tmp_path)
    render(record, tmp_path, "--check")
    record["about"]["processes"] = 4
    with pytest.raises(SystemExit, match="out of date"):
        render(record, tmp_path, "--check")
