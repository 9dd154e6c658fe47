"""`tiepoint collection`: steps, status, exit codes, interruption."""

from pathlib import Path

import pytest
from tests.helpers.small_collections import write_image_folder
from tests.helpers.synthetic_collections import make_collection
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.collection.collection import open_collection
from tiepoint.collection.run import runner
from tiepoint.collection.state import write_state

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
