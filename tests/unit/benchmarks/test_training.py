"""The benchmark of training: turned pairs keep their truth, and the page says what the record says."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import render_training
import small_preset_share
import training
import training_measures
from tiepoint.cli import app
from tiepoint.geometry.multiview import warp_points
from tiepoint.training.validation import ValidationMetrics


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_turned_pixels_are_found_again(quarter_turns: int) -> None:
    image = torch.arange(5 * 7.0).view(1, 5, 7)
    turned = torch.rot90(image, quarter_turns, (1, 2))
    homography = training_measures.upright_from_turned((7, 5), quarter_turns)
    y, x = np.mgrid[: turned.shape[1], : turned.shape[2]]
    places = warp_points(np.column_stack([x.ravel(), y.ravel()]).astype(np.float64), homography)
    columns, rows = np.rint(places).astype(int).T
    assert torch.equal(image[0, rows, columns], turned[0].flatten())


@pytest.fixture
def record() -> dict[str, Any]:
    figures = asdict(
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
    both = {"published": figures, "trained": figures | {"recall": None}}
    report = {"shape": {"layers": 5, "dim": 128}, "parameters": 1_700_000, "pairs": 30_000, "seconds": 3600.0}
    part = {"options": "--minutes 60", "report": report, "protocol": "homography-512", "figures": both}
    part |= {"thresholds": {name: {"0.1": figures, "0.5": figures} for name in both}}
    speed = {"name": "easy pair", "seconds": {"published": [2.0, 2.0, 9.0], "trained": [0.5, 0.5, 0.5]}}
    return {
        "about": {
            "command": "python benchmarks/training.py",
            "date": "2026-11-22",
            "machine": {"processor": "a processor", "torch": "2"},
            "processes": 2,
            "photographs": {"train": 1570, "val": 82},
        },
        "parts": {
            "a": part,
            "c": part | {"turned": {"0": both, "90": both}},
            "d": part | {"speed": [speed]},
        },
    }


def test_every_part_trains_by_a_command_that_a_user_can_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.py", "--work", str(tmp_path), "--minutes", "1"])
    arguments = training.parse()
    for part in training.PARTS:
        words = list(training.command(part, arguments))
        asked = words[words.index("train") + 1 :]
        assert asked[1] == str(tmp_path / part)
        assert asked[-2:] == ["--minutes", "1"]
        with pytest.raises(SystemExit) as done:
            app([*("train", *asked), "--help"])
        assert done.value.code == 0


def test_a_trial_keeps_away_from_the_real_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["training.py", "--minutes", "1"])
    with pytest.raises(SystemExit):
        training.parse()


def render(record: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    (folder / "training.json").write_text(json.dumps(record))
    page = folder / "results.md"
    arguments = ["render_training.py", "--records", str(folder), "--page", str(page), *options]
    monkeypatch.setattr(sys, "argv", arguments)
    render_training.main()
    return page.read_text()


def test_every_part_is_on_the_page(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = render(record, tmp_path, monkeypatch)
    assert "| trained | 87.5 | – | 25.0 | 100 | 5.0 |" in page
    assert "| published | 87.5 / 50.0, 100 | 87.5 / 50.0, 100 |" in page
    assert "| trained | 87.5 / 50.0 | 87.5 / 50.0 |" in page
    assert "| easy pair | 2.00 s | 0.50 s | 4.0 |" in page
    assert "30,000 pairs in 60 minutes" in page


def a_share(share: float, views: float, photographs: float) -> dict[str, Any]:
    return {
        "share": share,
        "views": {"precision": views, "recall": views},
        "precision": photographs,
        "recall": photographs,
        "matches": 80.0,
    }


def test_the_share_is_the_best_on_views_that_loses_little_on_photographs() -> None:
    rows = [a_share(0, 0.83, 0.300), a_share(0.25, 0.86, 0.296), a_share(0.5, 0.88, 0.294)]
    assert small_preset_share.chosen(rows) == 0.25
    assert small_preset_share.chosen([a_share(0, 0.83, 0.3), a_share(1, 0.9, 0.1)]) == 0


def test_a_photograph_is_paired_with_the_one_that_many_places_on() -> None:
    frames = [Path(f"camvid_{number}.jpg") for number in range(6)]
    pairs = list(small_preset_share.following([*frames, Path("coco128_1.jpg")]))
    expected = [(0, 1), (2, 3), (4, 5), (0, 3), (2, 5)]
    assert pairs == [(frames[first], frames[second]) for first, second in expected]


def test_shares_are_on_the_page(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"command": "python it.py", "date": "2026-11-26", "pairs": 69, "teacher_matches": 78.4}
    shares = {"about": about, "rows": [a_share(0.25, 0.865, 0.29)], "share": 0.25}
    (tmp_path / "small_preset.json").write_text(json.dumps(shares))
    page = render(record, tmp_path, monkeypatch)
    assert "| 0.25 | 86.5 / 86.5 | 29.0 / 29.0 | 80 |" in page
    assert "69 pairs" in page


def test_check_finds_an_old_page(
    record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(record, tmp_path, monkeypatch)
    with pytest.raises(SystemExit) as done:
        render(record, tmp_path, monkeypatch, "--check")
    assert done.value.code is None
    record["about"]["processes"] = 4
    with pytest.raises(SystemExit, match="isn't what the record says"):
        render(record, tmp_path, monkeypatch, "--check")
