"""The pair verification part of docs/results.md, from its record."""

from typing import Any

import numpy as np
import pytest
from benchmarks.records import read_record
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


def test_only_the_test_half_is_shown(record: dict[str, Any]) -> None:
    half = dict(zip(record["pairs"]["name"], record["pairs"]["half"], strict=True))
    groups = list(predict(record))
    assert {half[name] for group in groups for name in group.names} == {"test"}
    assert all(group.labels.any() and not group.labels.all() for group in groups)
    assert all(np.isfinite(group.probabilities).all() for group in groups)


@pytest.mark.parametrize(("count", "total", "expected"), [(0, 100, 0.026), (5, 100, 0.099), (0, 10, 0.213)])
def test_interval_is_wilsons(count: int, total: int, expected: float) -> None:
    assert upper_bound(count, total) == pytest.approx(expected, abs=1e-3)
