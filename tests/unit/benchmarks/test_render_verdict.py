"""The part of docs/results.md about verdicts, from its record."""

import json
import sys
from typing import Any

import numpy as np
import pytest
from tests.helpers.paths import RECORDS

import render_verdict
from verdict_said import said_of


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((RECORDS / "verdict.json").read_text())


def test_the_page_is_what_the_record_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["render_verdict.py", "--check"])
    with pytest.raises(SystemExit) as outcome:
        render_verdict.main()
    assert outcome.value.code is None


def test_no_place_is_in_both_halves(record: dict[str, Any]) -> None:
    pairs = record["pairs"]
    places = {
        half: {
            name.rsplit("/", 1)[0]
            for name, of in zip(pairs["name"], pairs["half"], strict=True)
            if of == half
        }
        for half in ("fit", "test")
    }
    assert places["fit"].isdisjoint(places["test"])


def test_only_the_half_that_was_not_fitted_is_shown(record: dict[str, Any]) -> None:
    half = dict(zip(record["pairs"]["name"], record["pairs"]["half"], strict=True))
    groups = list(said_of(record))
    assert {half[name] for group in groups for name in group.names} == {"test"}
    assert all(group.same.any() and not group.same.all() for group in groups)
    assert all(np.isfinite(group.said).all() for group in groups)


@pytest.mark.parametrize(("count", "total", "expected"), [(0, 100, 0.026), (5, 100, 0.099), (0, 10, 0.213)])
def test_the_interval_is_wilsons(count: int, total: int, expected: float) -> None:
    assert render_verdict.at_most(count, total) == pytest.approx(expected, abs=1e-3)
