"""`tiepoint bench`: arguments that reach the library, and its output."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.helpers.cost_models import costs
from typer.testing import CliRunner, Result

from tiepoint import bench
from tiepoint.bench import BenchReport, LatencyReport, PairReport, PresetsReport, Seconds, Trial, Tuning
from tiepoint.bench.machine import Machine
from tiepoint.cli import app
from tiepoint.matching.latency.budget import Plan

PAIR = PairReport(
    machine=Machine(
        processor="Fast One, AVX512",
        device="cpu",
        cores=8,
        threads=4,
        gemm_gflops=321.4,
        torch="2.9",
        tiepoint="0.1",
    ),
    preset="aliked+lightglue",
    images=("a.jpg", "b.jpg"),
    keypoints=(2048, 1999),
    matches=1234,
    layers_run=5,
    stages={"read": Seconds((0.1, 0.3)), "extract": Seconds((1.0, 1.0)), "match": Seconds((0.5, 0.5))},
    pair=Seconds((1.6, 1.8)),
    peak_memory_bytes=512 * 2**20,
)


def tuning(option: str, seconds: float) -> Tuning:
    values = {0: Seconds((1.0, 1.0)), 512: Seconds((seconds, seconds))}
    return Tuning(
        option=option,
        trials=tuple(Trial(value=value, pairs={"easy pair": runs}) for value, runs in values.items()),
    )


TUNINGS = (tuning("pruning_min_keypoints", 0.5), tuning("threads", 1.5))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments passed to the library."""
    asked: dict[str, Any] = {}

    def measure(image0: str | None, image1: str | None, *, tune: bool, **options: Any) -> BenchReport:
        asked.update(options, images=(image0, image1))
        return BenchReport(pair=PAIR, tunings=TUNINGS if tune else ())

    monkeypatch.setattr(bench, "bench", measure)
    return asked


def run_bench(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments], catch_exceptions=False)


def run(*arguments: str) -> Result:
    """Run the command for one preset."""
    return run_bench("--preset", "aliked+lightglue", *arguments)


@pytest.fixture
def all_presets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments passed to the library that measures all presets."""
    asked: dict[str, Any] = {}

    def measure(image0: str | None, image1: str | None, **options: Any) -> PresetsReport:
        asked.update(options, images=(image0, image1))
        fast = replace(PAIR, preset="fast one", matches=77, pair=Seconds((0.25, 0.25)))
        return PresetsReport(machine=PAIR.machine, pairs=(fast, PAIR), skipped={"closed": "needs a license"})

    monkeypatch.setattr(bench, "bench_presets", measure)
    return asked


def test_without_a_preset_all_are_in_one_table(all_presets: dict[str, Any]) -> None:
    result = run_bench("a.jpg", "b.jpg", "--runs", "2")
    assert result.exit_code == 0
    assert (all_presets["images"], all_presets["runs"]) == (("a.jpg", "b.jpg"), 2)
    first, second = (line.split() for line in result.stdout.splitlines() if "1.000" in line)
    assert first == ["fast", "one", "77", "0.200", "1.000", "0.500", "0.250", "4.00"]
    assert second[0] == "aliked+lightglue"
    assert "closed: not measured: needs a license" in result.stderr


def test_json_of_all_presets(all_presets: dict[str, Any]) -> None:
    record = json.loads(run_bench("--json", "-").stdout)
    assert [preset["preset"] for preset in record["presets"]] == ["fast one", "aliked+lightglue"]
    assert record["skipped"] == {"closed": "needs a license"}


def test_the_report_is_printed(asked: dict[str, Any]) -> None:
    result = run()
    assert result.exit_code == 0
    for promised in (
        *("Fast One, AVX512", "4 threads on 8 cores", "torch 2.9", "321 GFLOP/s"),
        *("a.jpg and b.jpg: 2048 and 1999 keypoints, 1234 matches, 5 layers"),
        *("0.200", "0.150 to 0.250", "0.59 pairs per second from files, 2.00 from features", "512 MiB"),
    ):
        assert promised in result.stdout
    assert "recommended" not in result.stdout
    assert (asked["images"], asked["json"], asked["threads"]) == ((None, None), None, None)


def test_options_reach_the_library(asked: dict[str, Any]) -> None:
    words = (
        "a.jpg b.jpg --preset p --max-keypoints 9 --resize 0 --runs 3 --threads 2 --json x.json --no-adaptive"
    )
    assert run(*words.split()).exit_code == 0
    expected = {
        "images": ("a.jpg", "b.jpg"),
        "preset": "p",
        "max_keypoints": 9,
        "resize": None,
        "runs": 3,
        "threads": 2,
        "json": "x.json",
        "adaptive": False,
    }
    assert {name: asked[name] for name in expected} == expected


def test_a_recommendation_names_the_option_and_value(asked: dict[str, Any]) -> None:
    printed = run("--tune").stdout
    assert (
        "recommended: --pruning-min-keypoints 512, in Python tiepoint.load(…, pruning_min_keypoints=512)"
        in printed
    )
    assert "2.00" in printed
    assert "keep the default of threads" in printed
    assert "0 (default)" in printed


def test_latency_budgets_have_plans_or_dashes(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = {50.0: None, 200.0: Plan(max_keypoints=431, max_layers=3)}
    latency = LatencyReport(image_size=(640, 480), smallest_ms=139.2, plans=plans, costs=costs())
    report = BenchReport(pair=PAIR, tunings=TUNINGS, latency=latency)
    monkeypatch.setattr(bench, "bench", lambda *images, **options: report)
    lines = [line.split() for line in run("--tune").stdout.splitlines()]
    assert ["50", "-", "-"] in lines
    assert ["200", "431", "3"] in lines
    assert "139 ms for images of 640 x 480 px" in run("--tune").stdout


def test_threads_are_torch_threads(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    report = BenchReport(pair=PAIR, tunings=(tuning("threads", 0.5),))
    monkeypatch.setattr(bench, "bench", lambda *images, **options: report)
    assert "recommended: --threads 512, in Python torch.set_num_threads(512)" in run("--tune").stdout


def test_json_on_standard_output_is_only_json(asked: dict[str, Any]) -> None:
    result = run("--tune", "--json", "-")
    record = json.loads(result.stdout)
    assert (record["matches"], record["machine"]["cores"]) == (1234, 8)
    assert [row["recommended"] for row in record["tuning"]] == [512, 0]
    assert "1234 matches" in result.stderr
    assert asked["json"] is None


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--threads", "0"], ["--max-keypoints", "0"]])
def test_numbers_below_one_are_usage_errors(arguments: list[str], asked: dict[str, Any]) -> None:
    assert run(*arguments).exit_code == 2
    assert asked == {}
