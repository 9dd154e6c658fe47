"""Progress callbacks and bars."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tiepoint.io.progress import (
    Advance,
    download_bar,
    no_progress,
    progress_bar,
    stage_line,
    to_callback,
    track,
    without_line,
)


class Recorder:
    """A `ProgressCallback` that records its calls."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int | None]] = []
        self.steps: list[int] = []
        self.closed = 0

    @contextmanager
    def __call__(self, description: str, total: int | None) -> Iterator[Advance]:
        self.opened.append((description, total))
        try:
            yield self.steps.append
        finally:
            self.closed += 1


def test_track_advances_after_each_item() -> None:
    recorder = Recorder()
    for count, item in enumerate(track(["a", "b", "c"], "letters", recorder)):
        assert len(recorder.steps) == count
        assert item == "abc"[count]
    assert recorder.opened == [("letters", 3)]
    assert recorder.steps == [1, 1, 1]
    assert recorder.closed == 1


@pytest.mark.parametrize(("total", "expected"), [(None, None), (7, 7)])
def test_the_total_of_an_iterator_is_unknown_or_given(total: int | None, expected: int | None) -> None:
    recorder = Recorder()
    assert list(track(iter("ab"), "letters", recorder, total=total)) == ["a", "b"]
    assert recorder.opened == [("letters", expected)]


def test_the_bar_is_closed_if_the_loop_stops_early() -> None:
    recorder = Recorder()
    items = track([1, 2, 3], "numbers", recorder)
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    assert recorder.closed == 1


def test_no_progress_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with no_progress("work", 3) as advance:
        advance(3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bar", [progress_bar, download_bar])
def test_bars_are_shown_on_stderr(bar: object, capfd: pytest.CaptureFixture[str]) -> None:
    with bar("work [1/2]", 3) as advance:  # type: ignore[operator]
        advance(2)
        advance(1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "work [1/2]" in err


def test_a_bar_of_nothing_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("work", 0):
        pass
    assert "work" not in capfd.readouterr().err


def test_arguments_are_flags_or_callbacks() -> None:
    recorder = Recorder()
    assert [to_callback(value) for value in (True, False, recorder)] == [progress_bar, no_progress, recorder]


def test_stages_are_shown_on_a_terminal_only(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage_line("read", None), without_line():
        pass
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with stage_line("read [1/2]", None):
        pass
    out, err = capfd.readouterr()
    assert out == ""
    assert "read [1/2]" in err


def test_a_bar_replaces_the_line_of_a_stage(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with stage_line("outer", None):
        capfd.readouterr()
        with progress_bar("inner", 2) as advance:
            advance(2)
            assert "outer" not in capfd.readouterr().err.partition("inner")[2]
    assert "outer" in capfd.readouterr().err
