"""Output that cannot be written: one line on stderr, exit status 1, never a traceback, for every command."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.cli.streams import guarded_streams

FULL = Path("/dev/full")
NO_SPACE = "tiepoint: cannot write standard output: No space left on device\n"

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def run_shell(arguments: str, redirection: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tiepoint` in a shell, with a redirection."""
    command = f'"{sys.executable}" -m tiepoint {arguments} {redirection}'
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, env={**os.environ, **environment}
    )


@needs_full
@pytest.mark.parametrize(
    "arguments", ["presets", "presets --json", "weights list", "--version", "match --help"]
)
@pytest.mark.slow
def test_full_disk(arguments: str) -> None:
    """wting/autojump#92, conjure-up/conjure-up#963, ansible/ansible#8458: ENOSPC as a traceback."""
    done = run_shell(arguments, f"> {FULL}")
    assert (done.returncode, done.stderr) == (1, NO_SPACE)


@pytest.mark.slow
def test_closed_standard_output() -> None:
    done = run_shell("presets", ">&-")
    assert (done.returncode, done.stderr) == (
        1,
        "tiepoint: cannot write standard output: Bad file descriptor\n",
    )


@pytest.mark.slow
def test_closed_pipe_is_silent() -> None:
    done = run_shell("presets", "| head -c 1")
    assert (done.stdout, done.stderr) == ("p", "")


@needs_full
@pytest.mark.slow
@pytest.mark.parametrize("redirection", [f"2> {FULL}", "2>&-"])
def test_an_error_that_cannot_be_printed_keeps_its_exit_status(redirection: str) -> None:
    done = run_shell("weights path nonsense", redirection)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.slow
def test_a_closed_stderr_that_is_not_needed_is_no_error() -> None:
    assert run_shell("presets", "2>&-").returncode == 0


@pytest.mark.slow
def test_characters_that_the_encoding_does_not_have_are_escaped() -> None:
    done = run_shell("presets", "", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr


class Failing(io.TextIOBase):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def run_guarded(monkeypatch: pytest.MonkeyPatch, *arguments: str, stream: str = "stdout") -> int:
    monkeypatch.setattr(sys, stream, Failing())
    return exit_status(lambda: app(list(arguments), prog_name="tiepoint"))


def exit_status(work: Callable[[], object]) -> int:
    """Run something that exits, with guarded streams."""
    with pytest.raises(SystemExit) as end, guarded_streams():
        work()
    return int(end.value.code or 0)


def all_commands() -> list[list[str]]:
    """Every command, as words."""

    def walk(command: object, words: list[str]) -> list[list[str]]:
        children = getattr(command, "commands", {})
        return [words, *(found for name, child in children.items() for found in walk(child, [*words, name]))]

    return walk(typer.main.get_command(app), [])


@pytest.mark.parametrize("command", all_commands(), ids=" ".join)
def test_every_command_reports_output_that_cannot_be_written(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_guarded(monkeypatch, *command, "--help") == 1
    assert capsys.readouterr().err == NO_SPACE


def test_the_work_is_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What a command writes after the failed line is written."""
    monkeypatch.setattr(sys, "stdout", Failing())

    def work() -> None:
        print("first line")
        (tmp_path / "result.txt").write_text("result")
        print("second line")
        sys.exit(0)

    assert exit_status(work) == 1
    assert (tmp_path / "result.txt").read_text() == "result"
    assert capsys.readouterr().err == NO_SPACE


def test_other_exit_statuses_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Failing())

    def work() -> None:
        print("no match", file=sys.stderr)
        sys.exit(3)

    assert exit_status(work) == 3


def test_an_unwritable_stderr_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Failing())

    def work() -> None:
        print("warning", file=sys.stderr)
        sys.exit(0)

    assert exit_status(work) == 1


def test_streams_are_restored() -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(SystemExit), guarded_streams():
        sys.exit(0)
    assert (sys.stdout, sys.stderr) == before


def test_written_output_is_no_error() -> None:
    assert CliRunner().invoke(app, ["presets"]).exit_code == 0
