"""`tiepoint pose`: options and output; `match_to_files` is replaced by a fake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from tiepoint import api
from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.geometry.estimate import estimate_relative_pose
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Camera, Features, TwoViewEstimate

CAMERA = Camera(model="SIMPLE_PINHOLE", image_size=(100, 80), params=(120.0, 49.5, 39.5), source="default")


def known_result() -> MatchResult:
    """2 matches between 2 and 2 keypoints."""
    features = Features(
        keypoints=torch.tensor([[10.0, 20.0], [60.0, 30.0]]),
        scores=torch.ones(2),
        descriptors=torch.ones(2, 4),
        image_size=(100, 80),
        source="photos/a.jpg",
    )
    matches = Assignment(
        matches=torch.tensor([[0, 0], [1, 1]]),
        scores=torch.ones(2),
        matching_scores0=torch.ones(2),
        matching_scores1=torch.ones(2),
        prune0=torch.ones(2, dtype=torch.int64),
        prune1=torch.ones(2, dtype=torch.int64),
        layers_run=9,
    )
    return MatchResult.from_assignment(features, features, matches, {"match": 0.5})


def known_pose(reason: str = "") -> TwoViewEstimate:
    """A translation to the right, or a failure."""
    failed = bool(reason)
    return TwoViewEstimate(
        kind="pose",
        matrix=None if failed else np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
        cam1_from_cam0=None if failed else np.array([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]),
        inliers=np.array([not failed, not failed]),
        method="poselib",
        max_error_px=3.0,
        camera0=CAMERA,
        camera1=CAMERA,
        reason=reason,
    )


class Work:
    """Fake of `match_to_files`."""

    estimate = known_pose()

    def __call__(self, *images: object, **options: Any) -> tuple[MatchResult, TwoViewEstimate]:
        self.images, self.options = images, options
        return known_result(), self.estimate


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(api, "match_to_files", work)
    return work


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["pose", "a.jpg", "b.jpg", *arguments])


def test_rotation_translation_inliers_and_cameras_are_printed(work: Work) -> None:
    text = run().stdout
    assert "pose: 2 of 2 matches are inliers (threshold 3 px, median error 0.00 px)" in text
    assert "rotation: 0.00 degrees" in text
    assert "translation: (1.000, 0.000, 0.000), unit length" in text
    for side in (0, 1):
        assert f"camera {side}: focal length 120.0 px, a default prior" in text


def test_options_reach_the_library(work: Work) -> None:
    run(
        "--max-error-px",
        "2",
        "--preset",
        "disk+lightglue",
        "--resize",
        "0",
        "--device",
        "cpu",
        "--json",
        "p.json",
    )
    assert work.images == ("a.jpg", "b.jpg")
    expected = {"preset": "disk+lightglue", "resize": None, "device": "cpu", "json": "p.json"}
    assert {name: work.options[name] for name in expected} == expected
    verify = work.options["verify"]
    assert (verify.func, verify.keywords) == (estimate_relative_pose, {"max_error_px": 2.0})


def test_intrinsics_of_a_file(work: Work, tmp_path: Path) -> None:
    (tmp_path / "K.txt").write_text("120 0 49.5\n0 121 39.5\n0 0 1\n")
    run("--intrinsics", str(tmp_path / "K.txt"))
    K = [[120, 0, 49.5], [0, 121, 39.5], [0, 0, 1]]
    assert work.options["verify"].keywords["camera0"].tolist() == K
    assert work.options["verify"].keywords["camera1"].tolist() == K


def test_standard_output_is_json_and_nothing_else(work: Work) -> None:
    result = run("--json", "-")
    assert json.loads(result.stdout)["estimate"]["cam1_from_cam0"] == known_pose().cam1_from_cam0.tolist()  # type: ignore[union-attr]
    assert "rotation" in result.stderr


def test_quiet_prints_nothing(work: Work) -> None:
    assert run("--quiet").output == ""


def test_the_verification_is_printed_for_a_failed_pose(work: Work) -> None:
    work.estimate = known_pose("got 4 matches, but a pose needs at least 5")
    result = run()
    assert "same scene: 0." in result.stdout
    assert "pose: failed, got 4 matches" in result.stdout
    assert isinstance(result.exception, InvalidInput)
    assert run("--quiet").output == ""


def test_a_failure_is_one_line_and_is_in_the_json(work: Work) -> None:
    work.estimate = known_pose("got 4 matches, but a pose needs at least 5")
    result = run("--json", "-")
    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception) == "pose estimation failed: got 4 matches, but a pose needs at least 5"
    found = json.loads(result.stdout)
    assert found["estimate"]["success"] is False
    assert found["verification"]["same_scene"] is False
    assert "same scene: 0." in result.stderr
