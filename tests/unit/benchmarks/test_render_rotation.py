"""The page's part about rotation says what the record says."""

import sys

import pytest

import render_rotation


def row(angle: int, correct: int, correct_auto: int, rotation1: int) -> dict:
    return {
        "pair": "graf 1-3",
        "angle_deg": angle,
        "correct": correct,
        "matches": 300,
        "correct_auto": correct_auto,
        "matches_auto": 300,
        "rotation1": rotation1,
    }


def test_a_row_holds_upright_median_least_and_turns() -> None:
    rows = [row(0, 200, 200, 0), row(90, 4, 199, 270), row(180, 0, 150, 180)]
    assert render_rotation.angles_row(rows) == ["graf 1-3", "200", "4, 0", "199, 150", "2 of 3"]


def test_costs_are_shares_of_the_seconds_without() -> None:
    pairs = [
        {"pair": "a", "seconds": 1.0, "seconds_rotate": 0.02, "rotation1": 0},
        {"pair": "b", "seconds": 3.0, "seconds_rotate": 0.18, "rotation1": 90},
    ]
    text = render_rotation.costs(pairs)
    assert "Of 2 pairs" in text
    assert "`auto` turned 1. They take 5.0% longer" in text
    assert "6.0% at most" in text


def test_the_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["render_rotation.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        render_rotation.main()
    assert not ended.value.code, ended.value.code
