"""Summaries of a matched pair: images, matches, verification, geometry."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.match_results import (
    HOMOGRAPHY,
    MATCHES,
    RECTIFIED,
    SCORES,
    SECONDS,
    SIZE0,
    SIZE1,
    an_estimate,
    some_features,
    some_matches,
)

from tiepoint.cli import summaries
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.result import MatchResult
from tiepoint.types import Camera

CAMERA = Camera(model="SIMPLE_PINHOLE", image_size=SIZE0, params=(50.0, 20.0, 15.0), source="exif")


@pytest.fixture
def result() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(6, SIZE0, "photos/a.jpg"),
        some_features(4, SIZE1),
        some_matches(6, 4, MATCHES, SCORES),
        SECONDS,
    )


def test_matches_and_layers(result: MatchResult):
    assert summaries.summarize_matches(result) == "3 matches   7 layers"


def test_seconds_of_all_stages():
    seconds = {"load_torch": 1.25, "match": 0.125, "total": 1.375}
    assert summaries.summarize_seconds(seconds) == "load torch 1.25 s   match 0.12 s   total 1.38 s"


def test_cuts_are_reported(result: MatchResult):
    assert "cut" not in summaries.summarize_matches(result)
    cut = replace(result, stopped_by="latency_budget", prune0=np.array([1, 0, 2, 3, 0, 1]))
    text = summaries.summarize_matches(cut)
    assert "latency_budget" in text
    assert "4 and 4 of 6 and 4 keypoints" in text


@pytest.mark.parametrize(
    ("verification", "expected"),
    [
        (
            PairVerification(same_scene=True, probability=0.98, reason="", num_inliers=731),
            "same scene: 0.98 (731 inliers)",
        ),
        (
            PairVerification(same_scene=False, probability=0.04, reason="few inliers", num_inliers=5),
            "same scene: 0.04 (few inliers)",
        ),
    ],
)
def test_verification(
    result: MatchResult, monkeypatch: pytest.MonkeyPatch, verification: PairVerification, expected: str
):
    monkeypatch.setattr(MatchResult, "verify", lambda self: verification)
    assert summaries.summarize_verification(result) == expected


def test_a_failed_estimate_has_a_reason(result: MatchResult):
    failed = replace(an_estimate([False] * 3, "fundamental", matrix=None), reason="no consensus")
    assert summaries.summarize_estimate(result, failed) == ["fundamental: failed, no consensus"]


def test_inliers_of_an_estimate(result: MatchResult):
    (line,) = summaries.summarize_estimate(result, an_estimate([True, False, True], "homography", HOMOGRAPHY))
    assert line.startswith("homography: 2 of 3 matches are inliers")
    assert "px" in line


def test_a_pose_has_rotation_translation_and_cameras(result: MatchResult):
    pose = an_estimate(
        [True] * 3,
        "pose",
        RECTIFIED,
        cam1_from_cam0=np.column_stack([np.eye(3), [1.0, 0, 0]]),
        camera0=CAMERA,
        camera1=replace(CAMERA, source="default"),
    )
    _, rotation, translation, camera0, camera1 = summaries.summarize_estimate(result, pose)
    assert rotation == "rotation: 0.00 degrees"
    assert "(1.000, 0.000, 0.000)" in translation
    assert "EXIF" in camera0
    assert "default prior" in camera1


def test_images(result: MatchResult, capsys: pytest.CaptureFixture[str]):
    summaries.print_images(result, to_stderr=False)
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("a.jpg", "40 x 30", "50 x 20"))
    assert "rotation" not in printed


def test_rotated_images(result: MatchResult, capsys: pytest.CaptureFixture[str]):
    summaries.print_images(replace(result, rotation1=90), to_stderr=True)
    assert "90 degrees" in capsys.readouterr().err


def test_scaled_and_tilted_images(result: MatchResult, capsys: pytest.CaptureFixture[str]):
    summaries.print_images(replace(result, scale=0.5, tilt=2.8), to_stderr=True)
    printed = capsys.readouterr().err
    assert all(text in printed for text in ("relative scale", "0.50", "tilt", "2.80"))
