"""The part of docs/results.md about options, and the defaults that follow from its record."""

from typing import Any

import numpy as np
import pytest
from benchmarks.options.experiments import EXPERIMENTS
from benchmarks.options.measure import RECORD
from benchmarks.options.render import accuracy_rows, time_rows
from benchmarks.records import read_record
from tests.helpers.paths import RECORDS

from tiepoint.evaluation.bootstrap import paired_bootstrap
from tiepoint.presets import PRESETS


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    record = read_record(RECORDS, RECORD)
    assert record is not None
    return record


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_scores_are_of_all_pairs(record: dict[str, Any], name: str) -> None:
    measured = record[name]
    count = len(measured["pairs"]["name"])
    assert measured["presets"].keys() <= set(EXPERIMENTS[name].presets)
    for variants in measured["presets"].values():
        assert list(variants) == list(EXPERIMENTS[name].values)
        for columns in variants.values():
            assert len(columns["score"]) == len(columns["matches"]) == count
            assert all(0 <= score <= 1 for score in columns["score"])


def test_presets_do_not_enlarge_where_it_costs_nothing(record: dict[str, Any]) -> None:
    for preset, variants in record["upscaling"]["presets"].items():
        enlarged, kept = (np.array(columns["score"]) for columns in variants.values())
        assert PRESETS[preset].upscale or paired_bootstrap(enlarged, kept).high >= 0


def test_rows_have_a_difference_to_the_first_variant(record: dict[str, Any]) -> None:
    rows = list(accuracy_rows(record["adaptive"]))
    assert [bool(row[-1]) for row in rows] == [False, True, True]
    assert next(row[-1] for row in time_rows(record["adaptive"]["seconds"])) == "1.00 ×"
