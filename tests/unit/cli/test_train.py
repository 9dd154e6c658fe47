"""`tiepoint train`: options reach the library, and its report is printed."""

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.noise_images import write_images
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.io.progress import track
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training import train as library
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.homographic_warps import WarpConfig
from tiepoint.training.data.warp_files import write_warps
from tiepoint.training.loop import StepReport
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION_PROTOCOLS, ValidationMetrics

METRICS = ValidationMetrics(
    precision=0.875, recall=0.5, auc=0.25, matches=9.0, correct=4.5, layers=5.0, seconds=0.125, pairs=4
)


@pytest.fixture
def called_with(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Record the arguments of the library function, without a training."""
    arguments: dict[str, Any] = {}

    def train(images: Path, out: Path, config: TrainConfig, **options: Any) -> TrainingReport:
        arguments.update(options, images=images, out=out, config=config)
        options["on_step"](
            StepReport(fraction_done=0.5, seconds_left=60.0, metrics={"pairs": 8, "total": 1.5})
        )
        assert list(track([1, 2], "warps", options["progress"])) == [1, 2]
        return TrainingReport(
            folder=out,
            recipe="homography",
            extractor="aliked-n16",
            kind="aliked-n16@1",
            shape=LightGlueShape(),
            parameters=10,
            config=config,
            settings={},
            steps=2,
            pairs=1600,
            best_pairs=1200,
            seconds=90.0,
            protocol=VALIDATION_PROTOCOLS["homography-512"],
            metrics={"trained": METRICS},
            notes=("no better than before the training; train longer",),
            problems=("cannot read broken.jpg",),
            versions={},
        )

    monkeypatch.setattr(library, "train", train)
    return arguments


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["train", "photos", "out", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def value_of(called_with: dict[str, Any], name: str) -> object:
    """Return an argument, or the value of a dotted name such as "config.run.seed"."""
    first, *rest = name.split(".")
    return reduce(getattr, rest, called_with[first])


def test_prints_a_table_and_the_folder(called_with: dict[str, Any]) -> None:
    result = run()
    assert (
        "1,600 pairs in 1.5 minutes, best validation after 1,200 pairs; protocol homography-512"
        in result.stdout
    )
    assert "87.5 %" in result.stdout
    assert "out can be used as a preset" in result.stdout
    assert "tiepoint: cannot read broken.jpg" in result.stderr
    assert "tiepoint: no better than before the training; train longer" in result.stderr


def test_default_is_the_default_recipe(called_with: dict[str, Any]) -> None:
    run()
    assert (called_with["images"], called_with["out"]) == (Path("photos"), Path("out"))
    assert called_with["config"] == TrainConfig()
    assert not called_with["resume"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "name", "expected"),
    [
        ("--recipe", "distill", "config.recipe", "distill"),
        ("--extractor", "disk", "config.model.extractor", "disk"),
        ("--init", "official", "config.model.init", "official"),
        ("--teacher", "official", "config.model.teacher", "official"),
        ("--layers", "3", "config.model.layers", 3),
        ("--width", "64", "config.model.width", 64),
        ("--heads", "2", "config.model.heads", 2),
        ("--minutes", "1.5", "config.run.minutes", 1.5),
        ("--pairs", "100", "config.run.pairs", 100),
        ("--batch-size", "4", "config.optim.batch_size", 4),
        ("--accumulate", "2", "config.optim.accumulate", 2),
        ("--learning-rate", "0.001", "config.optim.learning_rate", 0.001),
        ("--max-keypoints", "256", "config.data.warps.max_keypoints", 256),
        ("--resize", "320", "config.data.warps.resize", 320),
        ("--warps", "4", "config.data.warps.per_image", 4),
        ("--val", "val", "config.data.val", "val"),
        ("--cache", "cache", "config.data.cache", "cache"),
        ("--colmap", "sparse/0", "config.data.colmap", "sparse/0"),
        ("--colmap sparse/0 --depth-maps", "depth", "config.data.depth_maps", "depth"),
        ("--seed", "7", "config.run.seed", 7),
        ("--device", "cpu", "device", "cpu"),
    ],
    ids=lambda value: str(value),
)
def test_options_reach_the_library(
    called_with: dict[str, Any], option: str, value: str, name: str, expected: object
) -> None:
    run(*option.split(), value)
    assert value_of(called_with, name) == expected


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--resume", "resume"),
        ("--tensorboard", "config.run.tensorboard"),
        ("--gradient-checkpointing", "config.run.gradient_checkpointing"),
        ("--accept-license", "accept_license"),
    ],
)
def test_flags_reach_the_library(called_with: dict[str, Any], option: str, name: str) -> None:
    run(option)
    assert value_of(called_with, name) is True


def test_sizes_of_warps_that_have_no_effect_are_refused(called_with: dict[str, Any], tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 1)
    write_warps(tmp_path / "photos", tmp_path / "warps", WarpConfig(per_image=2, resize=64))
    features = ("--features", "features.h5")
    run = ("train", tmp_path / "warps", tmp_path / "out")
    for options, message in (
        ((*features, "--resize", 512), "resize=512 has no effect"),  # as in the recipe
        ((*features, "--warps", 3), "per_image=3 has no effect"),
        ((*features, "--colmap", "sparse", "--warps", 3), "--warps has no effect with --colmap"),
    ):
        result = CliRunner().invoke(app, [*map(str, (*run, *options))])
        assert isinstance(result.exception, InvalidInput)
        assert message in str(result.exception)
    assert not called_with
    CliRunner().invoke(
        app, [*map(str, (*run, *features, "--resize", 64, "--warps", 2))], catch_exceptions=False
    )
    assert called_with["config"].data.warps.resize == 64


def test_json_is_the_only_output(called_with: dict[str, Any]) -> None:
    values = json.loads(run("--json", "-").stdout)
    assert values["metrics"]["trained"]["precision"] == 0.875


def test_quiet_prints_problems_only(called_with: dict[str, Any]) -> None:
    result = run("--quiet")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "tiepoint: cannot read broken.jpg",
        "tiepoint: no better than before the training; train longer",
    ]


def test_other_processes_of_torchrun_are_silent(
    called_with: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    result = run()
    assert result.output == ""


@pytest.mark.parametrize(
    "arguments", [["--layers", "0"], ["--pairs", "0"], ["--resize", "10"], ["--warps", "1"]], ids=" ".join
)
def test_out_of_range_values_are_usage_errors(called_with: dict[str, Any], arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["train", "photos", "out", *arguments]).exit_code == 2
    assert called_with == {}


def test_json_report_is_written_atomically(called_with: dict[str, Any], tmp_path: Path) -> None:
    """A report that cannot be written completely leaves the previous one as it was."""
    path = tmp_path / "report.json"
    path.write_text("old")
    tmp_path.chmod(0o755)

    def fail(*arguments: object, **options: object) -> str:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_text", fail)
        CliRunner().invoke(app, ["train", "photos", "out", "--json", str(path)])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    run("--json", str(path))
    assert json.loads(path.read_text())["best_pairs"] == 1200


@pytest.mark.parametrize("name", ["missing/report.json", "report.txt", "."])
def test_json_report_that_cannot_be_written_is_refused_before_training(
    called_with: dict[str, Any], tmp_path: Path, name: str
) -> None:
    result = CliRunner().invoke(app, ["train", "photos", "out", "--json", str(tmp_path / name)])
    assert isinstance(result.exception, InvalidInput)
    assert not called_with
