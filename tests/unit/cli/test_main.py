"""The command as a whole: help, version, and what becomes of errors."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tiepoint
from tiepoint import api
from tiepoint.cli import app, main
from tiepoint.errors import InvalidInput, MissingDependency, WeightsError


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tiepoint", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("error", [InvalidInput, WeightsError, MissingDependency])
def test_errors_are_one_line_and_exit_code_1(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*images: object, **options: object) -> None:
        raise error("what is wrong; what to do")

    monkeypatch.setattr(api, "match_to_files", fail)
    assert run_main(monkeypatch, "match", "a.jpg", "b.jpg") == 1
    assert capsys.readouterr() == ("", "tiepoint: what is wrong; what to do\n")


def test_a_bug_is_not_dressed_up_as_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*images: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api, "match_to_files", fail)
    monkeypatch.setattr(sys, "argv", ["tiepoint", "match", "a.jpg", "b.jpg"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_an_interrupt_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*images: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "match_to_files", interrupt)
    assert run_main(monkeypatch, "match", "a.jpg", "b.jpg") in (1, 130)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["match"], ["--nonsense"], ["presets", "extra"]])
def test_wrong_usage_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert run_main(monkeypatch, *arguments) == 2


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_that_of_the_package(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, flag) == 0
    assert capsys.readouterr().out == f"tiepoint {tiepoint.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "promised"),
    [
        ([], ["match", "demo", "presets", "weights"]),
        (
            ["match"],
            ["--output", "--json", "--npz", "--preset", "--max-keypoints", "--resize", "--threshold"],
        ),
        (["match"], ["--no-adaptive", "--device", "--quiet"]),
        (["demo"], ["--output"]),
        (["presets"], ["--json"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_what_there_is(arguments: list[str], promised: list[str], flag: str) -> None:
    result = CliRunner().invoke(
        app, [*arguments, flag], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    )
    assert result.exit_code == 0
    assert [name for name in promised if name not in result.stdout] == []


def test_python_dash_m() -> None:
    """pypa/pipx#26, google/python-fire#70, python-gitlab/python-gitlab#713."""
    done = subprocess.run([sys.executable, "-m", "tiepoint", "-V"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tiepoint {tiepoint.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["match", "a.jpg", "b.jpg", "-o", "a.jpg"],
        ["match", "a.jpg", "b.jpg", "--mask0", "m.json", "--json", "m.json"],
        ["stitch", "a.jpg", "b.jpg", "-o", "b.jpg"],
        ["stitch", "a.jpg", "b.jpg", "-o", "c.jpg", "--overlay", "c.jpg"],
        ["find", "a.jpg", ".", "-o", "b.jpg"],
        ["find", "a.jpg", ".", "-o", "a.jpg"],
        ["track", "clip.mp4", "--video", "clip.mp4"],
        ["localize", "a.jpg", ".", "-o", "a.jpg"],
        ["eval", "compare", "m.json", "n.json", "--json", "m.json"],
    ],
    ids=" ".join,
)
def test_inputs_are_never_overwritten(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """mjmlio/mjml#1775."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "m.json", "n.json", "clip.mp4"):
        (tmp_path / name).write_text("precious")
    assert run_main(monkeypatch, *arguments) == 1
    assert "choose another name" in capsys.readouterr().err
    assert {path.read_text() for path in tmp_path.iterdir()} == {"precious"}


@pytest.mark.parametrize(("flag", "is_shown"), [("-vv", True), ("-v", False), ("-q", False)])
def test_verbosity_before_the_command(flag: str, is_shown: bool) -> None:
    """Details with times and modules are printed on stderr, so that the output stays as it is."""
    arguments = [flag, "weights", "download", "aliked_lightglue_small"]
    done = subprocess.run([sys.executable, "-m", "tiepoint", *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert ("tiepoint.weights.resolution: weights aliked_lightglue_small" in done.stderr) == is_shown
    assert is_shown or done.stderr == ""


def test_verbose_and_quiet_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "-v", "-q", "presets") == 2
