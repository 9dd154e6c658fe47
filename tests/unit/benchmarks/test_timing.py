"""Contestants take turns; their record says what was measured, and whether they did the same."""

import argparse
import json
import sys
from pathlib import Path

import pytest

import timing
from tiepoint.bench.machine import Machine
from timing import Case, Timing

MACHINE = Machine(processor="P", device="cpu", cores=2, threads=1, gemm_gflops=1.0, torch="2", tiepoint="0")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who worked, in order; every piece of work takes a second."""
    calls: list[str] = []
    monkeypatch.setattr(timing, "seconds_of", lambda work: (work(), 1.0)[1])
    monkeypatch.setattr(timing, "perf_counter", lambda: float(len(calls)))
    return calls


def case(calls: list[str]) -> Case:
    def work(name: str, found: int) -> int:
        calls.append(name)
        return found

    contestants = {"tiepoint": lambda: work("we", 100), "peer": lambda: work("peer", 101)}
    return Case(
        "group", "name", contestants, {"keypoints": 5}, lambda: {"bytes": 7}, lambda: {"rate": len(calls)}
    )


def test_contestants_take_turns_after_warming_up(clock: list[str]) -> None:
    timed = timing.time_case(case(clock), runs=2)
    assert clock == ["we", "peer"] * 3
    assert timed.seconds == {"tiepoint": [1.0, 1.0], "peer": [1.0, 1.0]}
    assert timed.found == {"tiepoint": 100, "peer": 101}
    assert timed.facts == {"keypoints": 5, "bytes": 7}
    assert timed.rates == [{"rate": 2}, {"rate": 4}]


def test_slow_cases_have_fewer_runs_but_some(clock: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "CASE_SECONDS", 7.0)
    assert len(timing.time_case(case(clock), runs=9).seconds["peer"]) == 4
    monkeypatch.setattr(timing, "CASE_SECONDS", 0.0)
    assert len(timing.time_case(case(clock), runs=9).seconds["peer"]) == timing.LEAST_RUNS


def test_ratios_are_taken_within_a_run() -> None:
    assert timing.ratios([1.0, 2.0], [3.0, 8.0]).runs == (3.0, 4.0)


def test_who_finds_something_else_is_named() -> None:
    assert timing.strangers({"tiepoint": 1000, "same": 1000, "near": 981, "other": 979}) == {"other": 979}
    assert timing.strangers({"tiepoint": 10, "near": 15, "other": 16}) == {"other": 16}
    assert "peer FOUND 50, we 100" in timing.summary(
        Timing("g", "n", {}, {"tiepoint": 100, "peer": 50}, {"tiepoint": [1.0], "peer": [2.0]})
    )


def test_a_line_says_medians_and_ratios() -> None:
    line = timing.summary(Timing("g", "n", {}, {}, {"tiepoint": [1.0, 3.0, 2.0], "peer": [5.0, 5.0, 5.0]}))
    assert "tiepoint 2.000 s" in line
    assert "peer 5.000 s (x 2.50)" in line


def test_only_chosen_cases_run(clock: list[str]) -> None:
    cases = [Case("g", name, {"tiepoint": lambda: 1}) for name in ("one", "two")]
    timed = timing.time_cases(cases, argparse.Namespace(only="tw", runs=1))
    assert [row.name for row in timed] == ["two"]


@pytest.mark.parametrize(
    ("words", "runs"), [([], 5), (["--quick"], 1), (["--runs", "7"], 7), (["--quick", "--runs", "2"], 2)]
)
def test_the_number_of_runs(words: list[str], runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["speed.py", *words])
    assert timing.parse(timing.parser("", "speed.json")).runs == runs


def test_the_record_says_what_figures_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "describe_machine", lambda: MACHINE)
    monkeypatch.setattr(timing, "installed_versions", lambda names: dict.fromkeys(names, "1"))
    monkeypatch.setattr(sys, "argv", ["/somewhere/benchmarks/speed.py", "--quick"])
    arguments = argparse.Namespace(records=tmp_path / "new", runs=1)
    timing.write_record("speed.json", arguments, timings=timing.as_dicts([Timing("g", "n", {}, {}, {})]))
    record = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert record["about"]["command"] == "python benchmarks/speed.py --quick"
    assert record["about"]["machine"]["processor"] == "P"
    assert set(record["about"]["versions"]) == set(timing.PACKAGES)
    assert record["timings"][0]["name"] == "n"
