"""Start of the command: of the process where it is known and plausible, else of the import."""

import pytest

from tiepoint.cli import clock


@pytest.mark.parametrize(
    ("age", "expected"), [(7.0, 43.0), (None, 45.0), (4.0, 45.0), (500.0, 45.0)], ids=str
)
def test_start(age: float | None, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An age that is younger than the import, or much older, is that of a wrong clock."""
    monkeypatch.setattr(clock, "perf_counter", lambda: 50.0)
    monkeypatch.setattr(clock, "process_seconds", lambda: age)
    monkeypatch.setattr(clock, "IMPORTED", 45.0)
    assert clock.find_start() == expected


def test_the_start_is_known_while_a_command_runs() -> None:
    assert clock.COMMAND_START.get() is None
    with clock.running():
        assert clock.COMMAND_START.get() is not None
    assert clock.COMMAND_START.get() is None
