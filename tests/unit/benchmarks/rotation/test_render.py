"""The rotation table and the cost of the search show the values of the record."""

from benchmarks.rotation.render import by_case, describe_costs, pair_row


def row(angle: int, correct: int, correct_search: int, rotation1: int, rotated: str = "1") -> dict:
    return {
        "pair": "graf 1-3",
        "rotated": rotated,
        "angle_deg": angle,
        "correct": correct,
        "matches": 300,
        "correct_search": correct_search,
        "matches_search": 300,
        "rotation0": 0,
        "rotation1": rotation1,
    }


def test_row_has_upright_median_minimum_and_rotations() -> None:
    rows = [row(0, 200, 200, 0), row(45, 4, 120, 315), row(90, 0, 180, 270)]
    expected = ["graf 1-3", "image 1", "200", "4, 0", "180, 120 (60%)", "180 (90%)", "2 of 3"]
    assert pair_row(rows) == expected


def test_rows_are_grouped_by_pair_and_rotated_image() -> None:
    rows = [row(0, 1, 1, 0, "1"), row(0, 1, 1, 0, "both"), row(90, 1, 1, 0, "1")]
    assert [len(group) for group in by_case(rows)] == [2, 1]


def test_costs_are_relative_to_the_time_without() -> None:
    pairs = [
        {"pair": "a", "seconds": 1.0, "seconds_views": 0.02, "rotation0": 0, "rotation1": 0},
        {"pair": "b", "seconds": 3.0, "seconds_views": 0.18, "rotation0": 0, "rotation1": 90},
    ]
    text = describe_costs(pairs)
    assert "Of 2 upright pairs" in text
    assert "the search rotated 1. They take 5.0% longer" in text
    assert "6.0% at most" in text
