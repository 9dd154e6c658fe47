"""TwoViewEstimate: successes, failures, and all errors."""

from collections.abc import Iterator
from typing import Any

import jaxtyping
import numpy as np
import pytest
from tests.helpers.synthetic_scenes import K0, K1, POSE, SIZE0, SIZE1

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import essential_from_pose
from tiepoint.types import Camera, TwoViewEstimate

CAMERAS = {"camera0": Camera.from_intrinsics(K0, SIZE0), "camera1": Camera.from_intrinsics(K1, SIZE1)}


@pytest.fixture(autouse=True)
def no_shape_checker() -> Iterator[None]:
    """Disable the shape checker of the tests, so that errors are the library's own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def estimate(kind: str = "homography", **changes: Any) -> TwoViewEstimate:
    valid: dict[str, Any] = {
        "kind": kind,
        "matrix": np.eye(3),
        "inliers": np.array([True, False, True]),
        "method": "poselib",
        "max_error_px": 3.0,
    }
    return TwoViewEstimate(**(valid | changes))


def test_success():
    found = estimate()
    assert found.success
    assert found.num_inliers == 2
    assert isinstance(found.num_inliers, int)
    assert found.reason == ""


def test_failure():
    found = estimate(matrix=None, inliers=np.zeros(3, bool), reason="got 3 matches")
    assert not found.success
    assert found.num_inliers == 0
    assert found.fundamental is None


def test_no_matches():
    assert estimate(matrix=None, inliers=np.zeros(0, bool), reason="got 0 matches").num_inliers == 0


class TestFundamental:
    def test_homographies_have_none(self):
        assert estimate().fundamental is None

    def test_fundamental_matrices_are_returned_as_they_are(self):
        found = estimate("fundamental")
        assert found.fundamental is found.matrix

    @pytest.mark.parametrize("kind", ["essential", "pose"])
    def test_essential_matrices_are_converted_to_pixels(self, kind: str):
        E = essential_from_pose(POSE)
        pose = POSE if kind == "pose" else None
        F = estimate(kind, matrix=E, cam1_from_cam0=pose, **CAMERAS).fundamental
        assert np.linalg.norm(F) == pytest.approx(1)
        back = K1.T @ F @ K0
        assert back / np.linalg.norm(back) == pytest.approx(E / np.linalg.norm(E))

    def test_essential_matrices_without_cameras_have_none(self):
        assert estimate("essential").fundamental is None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"kind": "projective"}, "homography, fundamental, essential, pose, got 'projective'"),
        ({"matrix": np.eye(4)}, "matrix: expected a finite array of shape (3, 3)"),
        ({"matrix": np.full((3, 3), np.nan)}, "matrix: expected a finite array"),
        ({"inliers": np.ones(3)}, "bool array of shape (k,)"),
        ({"inliers": np.ones((3, 1), bool)}, "bool array of shape (k,)"),
        ({"inliers": [True]}, "bool array of shape (k,)"),
        ({"cam1_from_cam0": np.eye(3)}, "cam1_from_cam0: expected a finite array of shape (3, 4)"),
        ({"cam1_from_cam0": POSE}, "if and only if a 'pose'"),
        ({"kind": "pose"}, "if and only if a 'pose'"),
        ({"reason": "none"}, "a success must not have one"),
        ({"matrix": None, "inliers": np.zeros(3, bool)}, "a failure needs a reason"),
        ({"matrix": None, "reason": "none"}, "expected none"),
    ],
)
def test_errors(changes: dict[str, Any], part: str):
    with pytest.raises(InvalidInput) as error:
        estimate(**changes)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_repr_is_one_short_line():
    found = estimate()
    assert repr(found) == (
        f"TwoViewEstimate({found.kind}, {found.method}, max_error_px={found.max_error_px:g}, "
        "2 of 3 matches are inliers)"
    )
    failed = estimate(matrix=None, inliers=np.zeros(3, bool), reason="got 3 matches")
    assert repr(failed).endswith("failed: got 3 matches)")


def test_notebooks_show_the_outcome():
    shown = estimate()._repr_html_()
    for text in ("homography", "2 of 3", "poselib", "3 px", "row 2"):
        assert text in shown
    failed = estimate(matrix=None, inliers=np.zeros(3, bool), reason="got <3> matches")._repr_html_()
    assert "got &lt;3&gt; matches" in failed
