"""Durations in words."""

import pytest

from tiepoint.io.durations import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (59.4, "59.4 s"), (61, "1 min"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
