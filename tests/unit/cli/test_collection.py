"""`tiepoint collection`: steps, status, exit codes, interruption."""

import json
from pathlib import Path

import pycolmap
import pytest
from tests.helpers.small_collections import write_image_folder
from tests.helpers.synthetic_collections import make_collection
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.collection.collection import open_collection
from tiepoint.collection.report.run_report import RunReport
from tiepoint.collection.run import runner
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.collection.state import write_state
from tiepoint.errors import InvalidInput

OPTIONS = (
    *("--preset", "aliked-t16+nearest", "--resize", "128", "--max-keypoints", "64"),
    *("--device", "cpu", "--threads", "1", "-q"),
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["collection", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.slow
def test_steps_resume_with_the_options_of_the_first(tmp_path: Path) -> None:
    images, out = write_image_folder(tmp_path / "photos", 3), tmp_path / "out"
    assert run("extract", images, out, *OPTIONS).exit_code == 0
    assert run("pairs", out, "--pairs", "sequential:1", "-q").exit_code == 0
    assert run("match", out, "-q").exit_code == 0
    result = run("verify", out, "--max-error-px", 2)
    assert result.exit_code == 0
    assert "inliers" in result.stdout
    collection = open_collection(out)
    assert len(list(collection.pairs())) == 2
    assert collection.settings["max_error_px"] == 2.0
    assert run("status", out).exit_code == 0


@pytest.mark.slow
def test_status_of_an_incomplete_run(tmp_path: Path) -> None:
    folder = make_collection(tmp_path)[0].folder
    state = open_collection(folder).state
    state.options["verify"] = True
    write_state(folder, state)
    next(folder.glob("stores/matches-*/matches/*.h5")).unlink()
    result = run("status", folder)
    assert result.exit_code == 1
    assert "missing" in result.stdout


def test_duplicates_exit_with_1(tmp_path: Path) -> None:
    images = write_image_folder(tmp_path / "photos", 2)
    (images / "copy.png").write_bytes((images / "view 1.png").read_bytes())
    result = run("extract", images, tmp_path / "out", *OPTIONS)
    assert result.exit_code == 1
    assert "copy.png" in result.stderr


def test_interruption_exits_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "match_collection", interrupt)
    result = run("run", tmp_path, tmp_path / "out", *OPTIONS)
    assert result.exit_code == 130
    assert "resume" in result.stderr


@pytest.mark.parametrize("step", ["run", "extract"])
def test_weights_are_passed_on(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    report = RunReport(out="", image_folder="", options={}, files=6, images=6)
    monkeypatch.setattr(runner, "match_collection", lambda *_, **options: given.update(options) or report)
    files = (
        "--extractor-weights",
        "dad.pth",
        "--extractor-weights",
        "dedode.pth",
        "--matcher-weights",
        "m.pth",
    )
    assert run(step, tmp_path, tmp_path / "out", *files, "-q").exit_code == 0
    assert (given["extractor_weights"], given["matcher_weights"]) == (["dad.pth", "dedode.pth"], "m.pth")


def test_other_weights_of_a_step_are_refused(tmp_path: Path) -> None:
    images, out = write_image_folder(tmp_path / "photos", 2), tmp_path / "out"
    assert run("extract", images, out, *OPTIONS).exit_code == 0
    (tmp_path / "own.pth").write_bytes(b"own")
    with pytest.raises(InvalidInput, match=r"extractor_weights were the preset's, got .*own\.pth"):
        run("match", out, "--extractor-weights", tmp_path / "own.pth", "-q")


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` finds all work done."""
    report = RunReport(out="", image_folder="", options={}, files=6, images=6)
    monkeypatch.setattr(runner, "match_collection", lambda *_, **__: report)


@pytest.mark.slow
@pytest.mark.usefixtures("matched")
def test_cameras_and_mapper_options_reach_the_reconstruction(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, motion="forward")
    arguments = ("run", tmp_path / "photos", collection.folder, "--reconstruct", "--cameras", "each", "-q")
    given = (
        "--mapper-option",
        "init_max_forward_motion=1.0",
        "--mapper-option",
        "mapper.init_min_tri_angle=1",
    )
    assert run(*arguments, *given).exit_code == 0
    assert read_model(collection).num_cameras() == 6
    assert json.loads((collection.folder / "colmap" / "reconstruction.json").read_text())["attempts"] == [
        "default initialization"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("matched")
def test_further_attempts_are_printed(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, motion="forward")
    result = run("run", tmp_path / "photos", collection.folder, "--reconstruct")
    assert result.exit_code == 0
    assert "initialization: " in result.stdout
    assert "init_max_forward_motion=1.0" in result.stdout


@pytest.mark.usefixtures("matched")
def test_cameras_of_the_database(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path)
    arguments = ("run", tmp_path / "photos", collection.folder, "--colmap", "--cameras", "each")
    assert run(*arguments, "-q").exit_code == 0
    with pycolmap.Database.open(str(collection.folder / "colmap" / "database.db")) as database:
        assert database.num_cameras() == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--reconstruct", "--mapper-option", "init_min_tri_angel=4"), "did you mean 'init_min_tri_angle'"),
        (("--reconstruct", "--mapper-option", "init_min_tri_angle"), "expected NAME=VALUE"),
        (("--mapper-option", "init_min_tri_angle=4"), "--mapper-option requires --reconstruct"),
        (("--cameras", "each"), "--cameras each requires --colmap or --reconstruct"),
    ],
)
def test_reconstruction_options_are_checked_before_starting(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "match_collection", lambda *_, **__: pytest.fail("the work has begun"))
    with pytest.raises(InvalidInput) as error:
        run("run", tmp_path, tmp_path / "out", *arguments)
    assert message in str(error.value)
