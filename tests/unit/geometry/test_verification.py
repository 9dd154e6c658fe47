"""Verifiers validate their options when created; median errors are those of the inliers."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.verification import make_verifier, median_error_px
from tiepoint.types import Correspondences, Kind, TwoViewEstimate

RECTIFIED = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def some_matches(shift: np.ndarray) -> Correspondences:
    points = np.random.default_rng(0).uniform(0, 100, (len(shift), 2))
    return Correspondences.from_points(points, points + shift)


def an_estimate(kind: str, matrix: np.ndarray | None, inliers: np.ndarray) -> TwoViewEstimate:
    return TwoViewEstimate(
        kind=kind,  # type: ignore[arg-type]
        matrix=matrix,
        inliers=inliers,
        method="poselib",
        max_error_px=3.0,
        reason="" if matrix is not None else "none",
    )


def test_a_verifier_estimates_with_its_threshold() -> None:
    matches = some_matches(np.outer(np.arange(30) % 6, [1.0, 0]))
    for limit in (0.5, 2.0):
        estimate = make_verifier("homography", max_error_px=limit)(matches)
        expected = estimate_homography(matches, max_error_px=limit)
        np.testing.assert_array_equal(estimate.inliers, expected.inliers)
        assert estimate.max_error_px == limit


@pytest.mark.parametrize(
    "text", ["500,320,240", "500,500,320,240", "K.txt"], ids=["three numbers", "four numbers", "a file"]
)
def test_intrinsics_apply_to_both_cameras(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("K.txt").write_text("500 0 320\n0 500 240\n0 0 1\n")
    verifier = make_verifier("pose", intrinsics=text)
    for name in ("camera0", "camera1"):
        assert verifier.keywords[name].tolist() == [[500, 0, 320], [0, 500, 240], [0, 0, 1]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"kind": "essential"},
            "unknown verifier 'essential'.*homography, alignment, fundamental, pose",
        ),
        ({"max_error_px": 0.0}, "max_error_px.*got 0.0"),
        ({"max_error_px": float("inf")}, "max_error_px.*got inf"),
        ({"intrinsics": "500,320"}, "got 2 numbers"),
        ({"intrinsics": "0,320,240"}, "singular"),
        ({"kind": "homography", "intrinsics": "500,320,240"}, "pose only, got kind 'homography'"),
    ],
    ids=["kind", "zero", "infinite", "too few numbers", "singular", "without use"],
)
def test_invalid_options_are_errors(options: dict, text: str) -> None:
    with pytest.raises(InvalidInput, match=text) as error:
        make_verifier(**{"kind": "pose", **options})
    assert "\n" not in str(error.value)


def test_the_median_error_is_that_of_the_inliers() -> None:
    matches = some_matches(np.array([[0.0, 1], [0, 2], [0, 3], [50, 50]]))
    fits = np.array([True, True, True, False])
    assert median_error_px(matches, an_estimate("homography", np.eye(3), fits)) == pytest.approx(2)
    assert median_error_px(matches, an_estimate("fundamental", RECTIFIED, fits)) == pytest.approx(2)
    assert median_error_px(matches, an_estimate("fundamental", RECTIFIED, ~fits)) == pytest.approx(50)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_median_error_without_inliers_is_nan(kind: str) -> None:
    none = np.zeros(4, bool)
    assert np.isnan(median_error_px(some_matches(np.zeros((4, 2))), an_estimate(kind, None, none)))
