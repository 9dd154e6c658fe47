"""The latency table shows the values of the record."""

from benchmarks.latency.render import cells, describe_bound, describe_pairs, paragraphs, row_of


def rows(times: dict[int, list[float | None]]) -> dict[str, list]:
    found = [(budget, pair, ms) for budget, values in times.items() for pair, ms in enumerate(values)]
    return {
        "method": ["aliked+lightglue"] * len(found),
        "budget": [budget for budget, _, _ in found],
        "pair": [pair for _, pair, _ in found],
        "ms": [ms for _, _, ms in found],
        "accuracy": [0.5 if pair == 0 else None for _, pair, _ in found],
        "matches": [10] * len(found),
        "keypoints": [512.0] * len(found),
        "layers": [9] * len(found),
        "stopped_by": ["last_layer"] * len(found),
    }


RECORD = {
    "about": {
        "command": "c",
        "date": "d",
        "runs": 2,
        "machine": {"processor": "p", "threads": 2},
        "versions": {},
    },
    "budgets": [20, 50, 100],
    "pairs": ["a", "different: a, b"],
    "runs": [
        {
            "waiting": 0.01,
            "rows": rows({0: [300.0, 300.0], 20: [None, None], 50: [None, 49.0], 100: [90.0, 90.0]}),
        },
        {
            "waiting": 0.02,
            "rows": rows({0: [200.0, 200.0], 20: [None, None], 50: [None, 49.0], 100: [105.0, 105.0]}),
        },
    ],
}


def test_a_row_has_the_slowest_run_and_dashes_for_impossible_budgets() -> None:
    method = "aliked+lightglue"
    assert [row_of(cell) for cell in cells(RECORD)] == [
        [method, "20", *["-"] * 9],
        [method, "50", "50%", "49", "49", "49", "0.98", "-, -, 49", "-", "512", "9.0"],
        [method, "100", "100%", "105", "105", "105", "1.05", "-, 104, 104", "50.0", "512", "9.0"],
        [method, "none", "100%", "300", "300", "300", "", "-, 295, 295", "50.0", "512", "9.0"],
    ]


def test_the_text_counts_pairs_and_kept_budgets() -> None:
    assert describe_pairs(RECORD).startswith("2 pairs: 0 easy, 1 hard, 1 different")
    assert "2.0%" in describe_pairs(RECORD)
    assert describe_bound(cells(RECORD)).startswith("In 2 of 2 cells")


def test_without_a_record_the_command_is_named() -> None:
    (text,) = paragraphs(None)
    assert "--append" in text
