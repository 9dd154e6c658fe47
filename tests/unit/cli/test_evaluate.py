"""`tiepoint eval`: arguments that reach the library, and its output."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.evaluation import evaluate
from tiepoint.evaluation.report import PairResult, Report
from tiepoint.io.progress import no_progress, progress_bar


def report_of(problems: tuple[str, ...] = (), *, error: float = 1.0) -> Report:
    rows = [
        PairResult(
            pair=f"s/{k}",
            scene="s",
            truth="pose",
            values={"pose_error_deg": error + k, "num_matches": float(k)},
        )
        for k in range(8)
    ]
    return Report(
        predictor="some", dataset="hpatches", protocol={"name": "tiepoint"}, rows=rows, problems=problems
    )


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments passed to `evaluate_preset`; "problems" is returned in the report."""
    passed: dict[str, Any] = {"problems": ()}

    def evaluate_preset(dataset: str, path: str, **options: Any) -> Report:
        passed.update(options, dataset=dataset, path=path)
        return report_of(passed["problems"])

    monkeypatch.setattr(evaluate, "evaluate_preset", evaluate_preset)
    return passed


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", *arguments], catch_exceptions=False)


def test_the_metrics_are_printed(passed: dict[str, Any]) -> None:
    result = run("hpatches", "data#v")
    assert result.exit_code == 0
    assert "some on hpatches, 8 pairs, protocol tiepoint" in result.stdout
    assert "pose error AUC@10deg" in result.stdout
    assert "95 % interval" in result.stdout
    assert (passed["dataset"], passed["path"], passed["progress"]) == ("hpatches", "data#v", progress_bar)


def test_options_reach_the_library(passed: dict[str, Any]) -> None:
    words = "run colmap data --preset p --protocol q --store s --json r.json --limit 7 --accept-license -q"
    assert run(*words.split()).exit_code == 0
    expected = {"preset": "p", "protocol": "q", "store": Path("s"), "json": "r.json", "limit": 7}
    assert {name: passed[name] for name in expected} == expected
    assert passed["accept_license"] is True
    assert passed["progress"] is no_progress


def test_problems_are_listed_and_set_the_exit_status(passed: dict[str, Any]) -> None:
    passed["problems"] = ("list.txt:3: got 2 numbers",)
    result = run("hpatches", "data")
    assert result.exit_code == 1
    assert result.stderr == "tiepoint: list.txt:3: got 2 numbers\n"


def test_json_to_standard_output(passed: dict[str, Any]) -> None:
    record = json.loads(run("hpatches", "data", "--json", "-").stdout)
    assert record["predictor"] == "some"
    assert passed["json"] is None


def test_two_reports_are_compared(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for path, error in zip(paths, (5.0, 1.0), strict=True):
        report_of(error=error).save(path)
    result = run("compare", *paths)
    assert "8 pairs" in result.stdout
    assert "the second is better" in result.stdout
    page = tmp_path / "comparison.html"
    assert f"page: {page}" in run("compare", *paths, "-o", str(page)).stdout
    assert "Pairs that differ most" in page.read_text(encoding="utf-8")
    record = json.loads(run("compare", *paths, "--json", "-").stdout)
    assert record["metrics"]["pose_auc_10deg"]["significant"] is True
