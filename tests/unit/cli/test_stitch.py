"""`tiepoint stitch`: options and output; `stitch_to_files` is replaced by a fake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.result import MatchResult
from tiepoint.stitching import panorama
from tiepoint.types import Assignment, Features, TwoViewEstimate


def known_result() -> MatchResult:
    """No keypoints."""
    features = Features(
        keypoints=torch.zeros(0, 2), scores=torch.zeros(0), descriptors=torch.zeros(0, 4), image_size=(9, 8)
    )
    none = torch.zeros(0, dtype=torch.int64)
    matches = Assignment(
        matches=torch.zeros(0, 2, dtype=torch.int64),
        scores=torch.zeros(0),
        matching_scores0=torch.zeros(0),
        matching_scores1=torch.zeros(0),
        prune0=none,
        prune1=none,
    )
    return MatchResult.from_assignment(features, features, matches)


ESTIMATE = TwoViewEstimate(
    kind="homography", matrix=np.eye(3), inliers=np.zeros(0, bool), method="poselib", max_error_px=3.0
)


class Work:
    """Fake of `stitch_to_files`."""

    error: Exception | None = None

    def __call__(self, *given: object, **options: Any) -> tuple[MatchResult, TwoViewEstimate]:
        self.given, self.options = given, options
        options["on_match"](known_result(), ESTIMATE)
        if self.error:
            raise self.error
        return known_result(), ESTIMATE


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(panorama, "stitch_to_files", work)
    return work


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["stitch", "a.jpg", "b.jpg", *arguments])


def test_the_defaults(work: Work) -> None:
    assert run().exit_code == 0
    assert work.given == ("a.jpg", "b.jpg", Path("panorama.jpg"))
    expected = {
        "overlay": None,
        "mode": "blend",
        "max_error_px": TWO_VIEW_MAX_ERROR_PX,
        "json": None,
        "resize": 1024,
    }
    assert {name: work.options[name] for name in expected} == expected


def test_options_reach_the_library(work: Work) -> None:
    run(
        "-o",
        "p.png",
        "--overlay",
        "o.png",
        "--mode",
        "checkerboard",
        "--max-error-px",
        "2",
        "--json",
        "p.json",
    )
    assert work.given[2] == Path("p.png")
    expected = {"overlay": Path("o.png"), "mode": "checkerboard", "max_error_px": 2.0, "json": "p.json"}
    assert {name: work.options[name] for name in expected} == expected


def test_written_files_are_printed(work: Work) -> None:
    text = run("-o", "p.png", "--overlay", "o.png").stdout
    assert "homography: 0 of 0 matches are inliers (threshold 3 px" in text
    assert "panorama: p.png\noverlay: o.png\n" in text


def test_standard_output_is_json_and_nothing_else(work: Work) -> None:
    result = run("--json", "-")
    assert json.loads(result.stdout)["estimate"]["kind"] == "homography"
    assert "panorama: panorama.jpg" in result.stderr


def test_quiet_prints_nothing(work: Work) -> None:
    assert run("--quiet").output == ""


@pytest.mark.parametrize("arguments", [["--mode", "mix"], ["--max-error-px", "0"], ["c.jpg"]], ids=str)
def test_wrong_usage_has_exit_status_2(work: Work, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
    assert not hasattr(work, "given")


def test_errors_are_printed_by_main(work: Work) -> None:
    work.error = InvalidInput("homography estimation failed: got 3 matches")
    assert run("--quiet").exception is work.error
    assert run("--quiet").output == ""


def test_the_verification_is_printed_for_a_failed_panorama(work: Work) -> None:
    work.error = InvalidInput("homography estimation failed: got 3 matches")
    assert "same scene: 0.00" in run().stdout
    assert "panorama: " not in run().stdout
    result = run("--json", "-")
    assert json.loads(result.stdout)["verification"]["same_scene"] is False
    assert "same scene: 0.00" in result.stderr
