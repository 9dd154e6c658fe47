"""Pair verification: decision, reason, saved files, exit code."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from tests.helpers.paths import RECORDS
from tests.helpers.synthetic_scenes import SIZE0, SIZE1, Scene, plane_scene, space_scene
from typer.testing import CliRunner

import tiepoint
from tiepoint import api
from tiepoint.cli import app
from tiepoint.geometry import pair_verification
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.pair_verification import (
    MODELS,
    PairStatistics,
    classify,
    model_name,
    pair_statistics,
    verify_pair,
)
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, Features, ImageInfo, TwoViewEstimate

RECORD = RECORDS / "verification.json"
KEYPOINTS = 500
STRONG = PairStatistics(
    matcher="lightglue",
    num_keypoints=2000,
    num_matches=800,
    mean_score=0.9,
    num_fundamental=760,
    num_homography=400,
    coverage=0.6,
    rotation_deg=4.0,
)
WEAK = replace(STRONG, num_matches=150, mean_score=0.3, num_fundamental=9, num_homography=7)


def features_at(points: np.ndarray, size: tuple[int, int], count: int = KEYPOINTS) -> Features:
    """Features with the points, and unmatched keypoints in a corner."""
    keypoints = torch.zeros(max(count, len(points)), 2)
    keypoints[: len(points)] = torch.from_numpy(points).float()
    return Features(
        keypoints=keypoints,
        scores=torch.ones(len(keypoints)),
        descriptors=torch.ones(len(keypoints), 4) / 2,
        image_size=size,
    )


def result_at(
    points0: np.ndarray,
    points1: np.ndarray,
    *,
    size0: tuple[int, int] = SIZE0,
    size1: tuple[int, int] = SIZE1,
    score: float = 0.8,
    keypoints: int = KEYPOINTS,
    layers_run: int = 9,
) -> MatchResult:
    none = np.zeros(0, dtype=np.int64)
    return MatchResult(
        matches=np.repeat(np.arange(len(points0))[:, None], 2, axis=1),
        scores=np.full(len(points0), score, dtype=np.float32),
        features0=features_at(points0, size0, keypoints),
        features1=features_at(points1, size1, keypoints),
        layers_run=layers_run,
        prune0=none,
        prune1=none,
    )


def result_of(scene: Scene, **options: Any) -> MatchResult:
    inside = np.ones(len(scene.points0), dtype=bool)
    for points, size in ((scene.points0, SIZE0), (scene.points1, SIZE1)):
        inside &= ((points >= 0) & (points <= np.array(size) - 1)).all(axis=1)
    return result_at(scene.points0[inside], scene.points1[inside], **options)


def random_result(count: int, seed: int = 0) -> MatchResult:
    rng = np.random.default_rng(seed)
    points0, points1 = (rng.uniform((0, 0), np.array(size) - 1, (count, 2)) for size in (SIZE0, SIZE1))
    return result_at(points0, points1, score=0.3)


@pytest.mark.parametrize("scene", [plane_scene, space_scene])
@pytest.mark.parametrize("layers_run", [0, 9])
def test_consistent_matches_show_the_same_scene(scene: Any, layers_run: int) -> None:
    result = result_of(scene(outlier_share=0.2), layers_run=layers_run)
    found = verify_pair(result.correspondences)
    assert found.same_scene
    assert found.probability > 0.9
    assert found.num_inliers > 0.6 * len(result)
    assert found.reason == f"{found.num_inliers} inliers of {len(result)} matches"


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8, 30, 200])
def test_random_matches_do_not(count: int) -> None:
    found = verify_pair(random_result(count).correspondences)
    assert not found.same_scene
    assert "few inliers" in found.reason or "low matchability" in found.reason
    assert f" {count} " in found.reason


@pytest.mark.parametrize(
    ("keypoints", "reason"), [(0, "no keypoints"), (KEYPOINTS, "no matches between 500")]
)
@pytest.mark.parametrize("layers_run", [0, 9])
def test_no_matches_have_probability_0_and_a_reason(keypoints: int, reason: str, layers_run: int) -> None:
    result = result_at(np.zeros((0, 2)), np.zeros((0, 2)), keypoints=keypoints, layers_run=layers_run)
    found = verify_pair(result.correspondences)
    assert (found.probability, found.same_scene, found.num_inliers) == (0.0, False, 0)
    assert reason in found.reason


def test_coincident_points() -> None:
    found = verify_pair(result_at(np.full((50, 2), 9.0), np.full((50, 2), 9.0)).correspondences)
    assert (found.same_scene, found.num_inliers) == (False, 0)


@pytest.mark.parametrize("factor", [0.25, 3])
def test_independent_of_the_image_resolution(factor: float) -> None:
    result = result_of(space_scene(outlier_share=0.6))
    sizes = [tuple(int(side * factor) for side in size) for size in (SIZE0, SIZE1)]
    scaled = result_at(result.points0 * factor, result.points1 * factor, size0=sizes[0], size1=sizes[1])
    assert verify_pair(scaled.correspondences).num_inliers == pytest.approx(
        verify_pair(result.correspondences).num_inliers, abs=3
    )


def test_inliers_are_counted_among_all_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = result_of(plane_scene(outlier_share=0.0))
    monkeypatch.setattr(pair_verification, "MAX_MATCHES_FOR_ESTIMATION", 50)
    assert pair_statistics(result.correspondences).num_homography > 0.95 * len(result)


@pytest.mark.parametrize("matcher", list(MODELS))
def test_probability_increases_with_the_inlier_count(matcher: str) -> None:
    weak = replace(WEAK, matcher=matcher, num_homography=0)
    found = [classify(replace(weak, num_fundamental=count)).probability for count in range(0, 151, 5)]
    assert found == sorted(set(found))
    planar = [
        classify(replace(weak, num_homography=count, num_fundamental=150)).probability
        for count in range(0, 151, 5)
    ]
    assert planar == sorted(set(planar))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "few inliers: 9 of 150 matches"),
        ({"num_keypoints": 60, "num_matches": 20}, "few keypoints: 60, 20 of them matched, 9 inliers"),
        ({"num_matches": 40}, "low matchability: 40 of 2000 keypoints matched, 9 inliers"),
        ({"coverage": 0.004}, "covering only 0.4 % of an image"),
        ({"rotation_deg": 92.0}, "few inliers: 9 of 150 matches"),
        (
            {"rotation_deg": 92.0, "num_matches": 20},
            "relative rotation of 92 degrees; try views='rotation'",
        ),
    ],
)
def test_reasons(change: dict[str, Any], reason: str) -> None:
    found = classify(replace(WEAK, **change))
    assert not found.same_scene
    assert reason in found.reason


@pytest.mark.parametrize(("rotation1", "beyond"), [(0, 90.0), (90, 0.0), (270, 180.0)])
def test_rotation_beyond_the_applied_one(rotation1: int, beyond: float) -> None:
    points0 = plane_scene(outlier_share=0.0).points0 * 0.5
    points1 = np.stack([SIZE0[1] / 2 - points0[:, 1], points0[:, 0]], axis=1)  # clockwise by 90 degrees
    result = result_at(points0, points1, size0=SIZE0, size1=SIZE0)
    assert pair_statistics(
        replace(result, rotation1=rotation1).correspondences
    ).rotation_deg == pytest.approx(beyond, abs=1e-3)


def test_relative_rotation_is_measured_against_both_applied_rotations() -> None:
    points = plane_scene(outlier_share=0.0).points0 * 0.5
    image = ImageInfo(SIZE0, rotation=90)
    both = Correspondences.from_points(points, points, image0=image, image1=image)
    assert pair_statistics(both).rotation_deg == pytest.approx(0.0, abs=1e-3)
    first = Correspondences.from_points(points, points, image0=image, image1=ImageInfo(SIZE0))
    assert pair_statistics(first).rotation_deg == pytest.approx(90.0, abs=1e-3)


def test_inliers_have_the_verification_of_the_complete_result(monkeypatch: pytest.MonkeyPatch) -> None:
    result = result_of(plane_scene(outlier_share=0.5))
    estimate = estimate_homography(result)
    calls: list[int] = []
    monkeypatch.setattr(
        "tiepoint.result.match_result.verify_pair", lambda pair: calls.append(len(pair)) or verify_pair(pair)
    )
    inliers = result.inliers(estimate)
    assert calls == []
    assert inliers.verify() == verify_pair(result.correspondences)
    assert inliers.inliers(estimate_homography(inliers)).verify() is result.verify()
    assert calls == [len(result)]


def test_saving_never_runs_an_estimation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = result_of(plane_scene())
    verification = result.verify()
    monkeypatch.setattr("tiepoint.result.match_result.verify_pair", lambda pair: pytest.fail("estimation"))
    again = replace(result)
    assert "verification" not in json.loads(again.save(tmp_path / "matches.json").read_text())
    assert "verification" not in again.to_dict()
    written = again.save(tmp_path / "matches.json", verification=verification)
    assert json.loads(written.read_text())["verification"] == {
        "same_scene": True,
        "probability": verification.probability,
        "reason": verification.reason,
        "num_inliers": verification.num_inliers,
    }
    with np.load(again.save(tmp_path / "matches.npz", verification=verification)) as arrays:
        assert arrays["verification_probability"] == verification.probability


@pytest.mark.parametrize(
    ("kind0", "kind1", "layers_run", "expected"),
    [
        ("xfeat@0123", "xfeat@0123", 6, "xfeat+lightglue"),
        ("xfeat@0123", "xfeat@0123", 0, "xfeat+nearest"),
        ("aliked-n16@0123", "aliked-n16@0123", 9, "lightglue"),
        ("", "", 0, "nearest"),
        ("own", "own", 0, "nearest"),
        ("sift", "sift", 0, "sift+nearest"),
        ("sift", "sift", 9, "lightglue"),
        ("colmap-sift", "colmap-sift", 0, "sift+nearest"),
        ("xfeat@0123", "", 0, "nearest"),
    ],
)
def test_model_of_extractor_and_matcher(kind0: str, kind1: str, layers_run: int, expected: str) -> None:
    points = plane_scene().points0
    images = {"image0": ImageInfo(SIZE0, kind=kind0), "image1": ImageInfo(SIZE1, kind=kind1)}
    matches = Correspondences.from_points(points, points, **images, layers_run=layers_run)
    assert pair_statistics(matches).matcher == model_name(matches) == expected


def test_saved_results_keep_the_model(tmp_path: Path) -> None:
    result = result_of(plane_scene(), layers_run=6)
    features0, features1 = (replace(f, kind="xfeat@0123") for f in (result.features0, result.features1))
    own = replace(result, features0=features0, features1=features1)
    assert pair_statistics(own.correspondences).matcher == "xfeat+lightglue"
    for name in ("matches.npz", "matches.json"):
        assert MatchResult.load(own.save(tmp_path / name)).verify() == own.verify()


def test_coefficients_are_the_fitted_ones() -> None:
    models = json.loads(RECORD.read_text())["models"]
    assert {matcher: tuple(model) for matcher, model in models.items()} == MODELS


@pytest.mark.slow
def test_sift_refuses_different_scenes() -> None:
    """RootSIFT cosines of different scenes are about 0.88, which the coefficients of ALIKED take for good matches."""
    matcher = tiepoint.load("sift+nearest", max_keypoints=500, resize=None, views=None)
    left, right, _ = skimage.data.stereo_motorcycle()
    images = [left[::2, ::2].copy(), right[::2, ::2].copy(), skimage.data.astronaut(), skimage.data.coffee()]
    left, right, *others = [matcher.extract(image) for image in images]
    same, *different = matcher.match_features([(left, right), (left, others[0]), (others[0], others[1])])
    assert same.verify().same_scene
    for result in different:
        assert len(result) > 50
        assert not result.verify().same_scene


class FakeMatchToFiles:
    """Replacement of `match_to_files`."""

    def __init__(self, result: MatchResult) -> None:
        self.result = result

    def __call__(self, *images: object, verify: Any = None, **options: Any) -> Any:
        return self.result, TwoViewEstimate(
            kind="homography",
            matrix=None,
            inliers=np.zeros(len(self.result), dtype=bool),
            method="poselib",
            max_error_px=3.0,
            reason="no consensus",
        )


@pytest.fixture(params=["same", "different"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MatchResult:
    result = result_of(plane_scene()) if request.param == "same" else random_result(80)
    monkeypatch.setattr(api, "match_to_files", FakeMatchToFiles(result))
    return result


def run(command: str, *options: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, [command, "a.jpg", "b.jpg", *options])
    return outcome.exit_code, outcome.output


def test_match_prints_the_verification_and_sets_the_exit_status(pair: MatchResult) -> None:
    found = pair.verify()
    evidence = f"{found.num_inliers} inliers" if found.same_scene else found.reason
    line = f"same scene: {found.probability:.2f} ({evidence})"
    assert run("match")[0] == 0
    code, text = run("match", "--fail-on-no-match")
    assert code == (0 if found.same_scene else 3)
    assert line in text


def test_different_scenes_decide_the_exit_status_before_failed_geometry(pair: MatchResult) -> None:
    assert run("pose")[0] == 1
    code, text = run("pose", "--fail-on-no-match")
    assert code == (1 if pair.verify().same_scene else 3)
    assert ("few inliers" in text) == (not pair.verify().same_scene)
