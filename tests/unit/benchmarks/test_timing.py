"""Implementations take turns; the timing says what was measured, and whether the counts are comparable."""

import argparse

import pytest
from benchmarks import timing
from benchmarks.timing import Case, Timing


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The implementations that ran, in order; every piece of work takes one second."""
    calls: list[str] = []
    monkeypatch.setattr(timing, "seconds_of", lambda work: (work(), 1.0)[1])
    monkeypatch.setattr(timing, "perf_counter", lambda: float(len(calls)))
    return calls


def make_case(calls: list[str]) -> Case:
    def work(name: str, count: int) -> int:
        calls.append(name)
        return count

    implementations = {"tiepoint": lambda: work("ours", 100), "other": lambda: work("other", 101)}
    return Case(
        "group",
        "name",
        implementations,
        {"keypoints": 5},
        measure_facts=lambda: {"bytes": 7},
        measure_rates=lambda: {"rate": len(calls)},
    )


def test_implementations_take_turns_after_a_warm_up(calls: list[str]) -> None:
    timed = timing.time_case(make_case(calls), runs=2)
    assert calls == ["ours", "other"] * 3
    assert timed.seconds == {"tiepoint": [1.0, 1.0], "other": [1.0, 1.0]}
    assert timed.found == {"tiepoint": 100, "other": 101}
    assert timed.facts == {"keypoints": 5, "bytes": 7}
    assert timed.rates == [{"rate": 2}, {"rate": 4}]


def test_slow_cases_have_fewer_runs(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "MAX_CASE_SECONDS", 7.0)
    assert len(timing.time_case(make_case(calls), runs=9).seconds["other"]) == 4
    monkeypatch.setattr(timing, "MAX_CASE_SECONDS", 0.0)
    assert len(timing.time_case(make_case(calls), runs=9).seconds["other"]) == timing.MIN_RUNS


def test_ratios_are_taken_within_a_run() -> None:
    assert timing.ratios([1.0, 2.0], [3.0, 8.0]).runs == (3.0, 4.0)


def test_deviating_counts_are_named() -> None:
    counts = {"tiepoint": 1000, "same": 1000, "near": 981, "other": 979}
    assert timing.deviating_counts(counts) == {"other": 979}
    assert timing.deviating_counts({"tiepoint": 10, "near": 15, "other": 16}) == {"other": 16}
    assert "other FOUND 50, tiepoint 100" in timing.summary(
        Timing("g", "n", {}, {"tiepoint": 100, "other": 50}, {"tiepoint": [1.0], "other": [2.0]})
    )


def test_summary_has_medians_and_ratios() -> None:
    line = timing.summary(Timing("g", "n", {}, {}, {"tiepoint": [1.0, 3.0, 2.0], "other": [5.0, 5.0, 5.0]}))
    assert "tiepoint 2.000 s" in line
    assert "other 5.000 s (x 2.50)" in line


def test_only_selected_cases_run(calls: list[str]) -> None:
    cases = [Case("g", name, {"tiepoint": lambda: 1}) for name in ("one", "two")]
    assert [row.name for row in timing.time_cases(cases, runs=1, only="tw")] == ["two"]


@pytest.mark.parametrize(
    ("words", "runs"), [([], 5), (["--quick"], 1), (["--runs", "7"], 7), (["--quick", "--runs", "2"], 2)]
)
def test_number_of_runs(words: list[str], runs: int) -> None:
    parser = argparse.ArgumentParser()
    timing.add_timing_arguments(parser, "speed.json")
    assert timing.num_runs(parser.parse_args(words)) == runs


def test_timings_become_dicts_for_the_record() -> None:
    (row,) = timing.as_dicts([Timing("g", "n", {}, {}, {})])
    assert row == {"group": "g", "name": "n", "facts": {}, "found": {}, "seconds": {}, "rates": []}
