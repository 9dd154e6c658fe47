"""The rotation table and the cost of the search show the values of the record."""

from benchmarks.rotation.render import describe_costs, pair_row


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


def test_row_has_upright_median_minimum_and_rotations() -> None:
    rows = [row(0, 200, 200, 0), row(90, 4, 199, 270), row(180, 0, 150, 180)]
    assert pair_row(rows) == ["graf 1-3", "200", "4, 0", "199, 150", "2 of 3"]


def test_costs_are_relative_to_the_time_without() -> None:
    pairs = [
        {"pair": "a", "seconds": 1.0, "seconds_rotate": 0.02, "rotation1": 0},
        {"pair": "b", "seconds": 3.0, "seconds_rotate": 0.18, "rotation1": 90},
    ]
    text = describe_costs(pairs)
    assert "Of 2 upright pairs" in text
    assert "`auto` rotated 1. They take 5.0% longer" in text
    assert "6.0% at most" in text
