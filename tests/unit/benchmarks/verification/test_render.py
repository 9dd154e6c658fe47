"""The pair verification part of docs/results.md, from its record."""

from typing import Any

import numpy as np
import pytest
from benchmarks.records import read_record
from benchmarks.verification.fitted import FITTED
from benchmarks.verification.predictions import predict
from benchmarks.verification.render import upper_bound
from tests.helpers.paths import RECORDS


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    record = read_record(RECORDS, "verification.json")
    assert record is not None
    return record


def test_no_scene_is_in_both_halves(record: dict[str, Any]) -> None:
    pairs = record["pairs"]
    scenes = {
        half: {
            name.rsplit("/", 1)[0]
            for name, pair_half in zip(pairs["name"], pairs["half"], strict=True)
            if pair_half == half
        }
        for half in ("fit", "test")
    }
    assert scenes["fit"].isdisjoint(scenes["test"])


def test_only_the_half_that_was_not_fitted_is_shown(record: dict[str, Any]) -> None:
    half = dict(zip(record["pairs"]["name"], record["pairs"]["half"], strict=True))
    groups = list(predict(record))
    assert {fitted.preset for fitted in FITTED.values()} <= {group.preset for group in groups}
    for group in groups:
        fitted = {row.half for row in FITTED.values() if row.preset == group.preset} or {"fit"}
        assert fitted.isdisjoint(half[name] for name in group.names)
    assert all(group.labels.any() and not group.labels.all() for group in groups)
    assert all(np.isfinite(group.probabilities).all() for group in groups)


@pytest.mark.parametrize(("count", "total", "expected"), [(0, 100, 0.026), (5, 100, 0.099), (0, 10, 0.213)])
def test_interval_is_wilsons(count: int, total: int, expected: float) -> None:
    assert upper_bound(count, total) == pytest.approx(expected, abs=1e-3)
