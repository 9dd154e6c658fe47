"""`tiepoint train`: options reach the library, and what comes back is printed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training import train as library
from tiepoint.training.loop import StepReport
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION, Figures

FIGURES = Figures(
    precision=0.875, recall=0.5, auc=0.25, matches=9.0, correct=4.5, layers=5.0, seconds=0.125, pairs=4
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the library was called with; it trains nothing."""
    seen: dict[str, Any] = {}

    def train(photographs: Path, out: Path, **options: Any) -> TrainingReport:
        seen.update(options, photographs=photographs, out=out)
        options["on_step"](StepReport(done=0.5, seconds_left=60.0, figures={"pairs": 8, "total": 1.5}))
        assert list(options["track"]([1, 2], "views")) == [1, 2]
        return TrainingReport(
            folder=out,
            recipe="homography",
            extractor="aliked-n16",
            kind="aliked-n16@1",
            shape=LightGlueShape(),
            parameters=10,
            settings={},
            steps=2,
            pairs=1600,
            seconds=90.0,
            protocol=VALIDATION["homography-512"],
            figures={"trained": FIGURES},
            problems=("can't read broken.jpg",),
            versions={},
        )

    monkeypatch.setattr(library, "train", train)
    return seen


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["train", "photos", "out", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_it_prints_a_table_and_where_the_model_is(asked: dict[str, Any]) -> None:
    result = run()
    assert "1,600 pairs in 1.5 minutes; protocol homography-512" in result.stdout
    assert "87.5 %" in result.stdout
    assert "out is a preset now" in result.stdout
    assert "tiepoint: can't read broken.jpg" in result.stderr


def test_the_defaults_are_those_of_the_library(asked: dict[str, Any]) -> None:
    run()
    assert (asked["photographs"], asked["out"]) == (Path("photos"), Path("out"))
    assert (asked["recipe"], asked["extractor"], asked["seed"]) == ("homography", "aliked-n16", 0)
    assert not asked["resume"]
    assert all(
        asked[name] is None for name in ("init", "teacher", "layers", "minutes", "pairs", "val", "colmap")
    )


@pytest.mark.parametrize(
    ("option", "value", "name", "expected"),
    [
        ("--recipe", "distill", "recipe", "distill"),
        ("--extractor", "disk", "extractor", "disk"),
        ("--init", "official", "init", "official"),
        ("--teacher", "official", "teacher", "official"),
        ("--layers", "3", "layers", 3),
        ("--width", "64", "width", 64),
        ("--heads", "2", "heads", 2),
        ("--minutes", "1.5", "minutes", 1.5),
        ("--pairs", "100", "pairs", 100),
        ("--batch-size", "4", "batch_size", 4),
        ("--accumulate", "2", "accumulate", 2),
        ("--learning-rate", "0.001", "learning_rate", 0.001),
        ("--max-keypoints", "256", "max_keypoints", 256),
        ("--resize", "320", "resize", 320),
        ("--views", "4", "views", 4),
        ("--val", "val", "val", Path("val")),
        ("--cache", "cache", "cache", Path("cache")),
        ("--colmap", "sparse/0", "colmap", Path("sparse/0")),
        ("--depth-maps", "depth", "depth_maps", Path("depth")),
        ("--seed", "7", "seed", 7),
        ("--device", "cpu", "device", "cpu"),
    ],
    ids=lambda value: str(value),
)
def test_options_reach_the_library(
    asked: dict[str, Any], option: str, value: str, name: str, expected: object
) -> None:
    run(option, value)
    assert asked[name] == expected


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--resume", "resume"),
        ("--tensorboard", "tensorboard"),
        ("--gradient-checkpointing", "gradient_checkpointing"),
        ("--accept-license", "accept_license"),
    ],
)
def test_switches_reach_the_library(asked: dict[str, Any], option: str, name: str) -> None:
    run(option)
    assert asked[name] is True


def test_json_on_standard_output_is_json_alone(asked: dict[str, Any]) -> None:
    values = json.loads(run("--json", "-").stdout)
    assert values["figures"]["trained"]["precision"] == 0.875


def test_quiet_prints_problems_only(asked: dict[str, Any]) -> None:
    result = run("--quiet")
    assert result.stdout == ""
    assert result.stderr == "tiepoint: can't read broken.jpg\n"


def test_another_process_of_torchrun_is_silent(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    result = run()
    assert result.output == ""


@pytest.mark.parametrize(
    "arguments", [["--layers", "0"], ["--pairs", "0"], ["--resize", "10"], ["--views", "1"]], ids=" ".join
)
def test_numbers_that_cannot_be_are_wrong_usage(asked: dict[str, Any], arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["train", "photos", "out", *arguments]).exit_code == 2
    assert asked == {}
