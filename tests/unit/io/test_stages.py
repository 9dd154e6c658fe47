"""Stages: their seconds, and what is shown while they run."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tiepoint.io import stages as module
from tiepoint.io.progress import Advance
from tiepoint.io.stages import Stages


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time of the clock in seconds, in a list of one element."""
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def test_a_stage_includes_the_time_since_the_previous_one(now: list[float]) -> None:
    stages = Stages(start=90.0)
    stages.finish("start")
    now[0] += 1
    with stages("read"):
        now[0] += 2
    with stages("match"):
        now[0] += 4
    now[0] += 8  # not finished
    assert stages.with_total() == {"start": 10, "read": 3, "match": 4, "total": 17}


def test_a_repeated_stage_is_summed(now: list[float]) -> None:
    stages = Stages()
    for _ in range(3):
        with stages("read"):
            now[0] += 2
    assert stages.seconds == {"read": 6}


def test_a_failed_stage_is_not_finished(now: list[float]) -> None:
    stages = Stages()
    with pytest.raises(ValueError, match="x"), stages("read"):
        raise ValueError("x")
    assert stages.seconds == {}


def test_stages_are_shown_while_they_run() -> None:
    events: list[str] = []

    @contextmanager
    def show(description: str, total: int | None) -> Iterator[Advance]:
        assert total is None
        events.append(f"begin {description}")
        yield lambda _: None
        events.append("end")

    with Stages(show)("load_torch"):
        events.append("work")
    assert events == ["begin load torch", "work", "end"]
