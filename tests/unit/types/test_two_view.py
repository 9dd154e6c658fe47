"""TwoViewEstimate: what holds of every estimate, and of a failure."""

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
    """Users have no shape checker: what they see of a wrong value is the library's own refusal."""
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
    found = estimate(matrix=None, inliers=np.zeros(3, bool), reason="3 matches came")
    assert not found.success
    assert found.num_inliers == 0
    assert found.fundamental is None


def test_no_matches_at_all():
    assert estimate(matrix=None, inliers=np.zeros(0, bool), reason="0 matches came").num_inliers == 0


class TestFundamental:
    def test_of_a_homography_there_is_none(self):
        assert estimate().fundamental is None

    def test_of_a_fundamental_matrix_it_is_the_matrix(self):
        found = estimate("fundamental")
        assert found.fundamental is found.matrix

    @pytest.mark.parametrize("kind", ["essential", "pose"])
    def test_of_the_others_it_is_in_pixels(self, kind: str):
        E = essential_from_pose(POSE)
        pose = POSE if kind == "pose" else None
        F = estimate(kind, matrix=E, cam1_from_cam0=pose, **CAMERAS).fundamental
        assert np.linalg.norm(F) == pytest.approx(1)
        back = K1.T @ F @ K0
        assert back / np.linalg.norm(back) == pytest.approx(E / np.linalg.norm(E))

    def test_without_cameras_there_is_none(self):
        assert estimate("essential").fundamental is None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"kind": "affine"}, "homography, fundamental, essential, pose, but is 'affine'"),
        ({"matrix": np.eye(4)}, "matrix must be a finite array of shape (3, 3)"),
        ({"matrix": np.full((3, 3), np.nan)}, "matrix must be a finite array"),
        ({"inliers": np.ones(3)}, "bool array (k,)"),
        ({"inliers": np.ones((3, 1), bool)}, "bool array (k,)"),
        ({"inliers": [True]}, "bool array (k,)"),
        ({"cam1_from_cam0": np.eye(3)}, "cam1_from_cam0 must be a finite array of shape (3, 4)"),
        ({"cam1_from_cam0": POSE}, "belongs to an estimate of kind 'pose'"),
        ({"kind": "pose"}, "belongs to an estimate of kind 'pose'"),
        ({"reason": "none"}, "a failure has a reason, a success has none"),
        ({"matrix": None, "inliers": np.zeros(3, bool)}, "a failure has a reason"),
        ({"matrix": None, "reason": "none"}, "has no inliers"),
    ],
)
def test_refusals(changes: dict[str, Any], part: str):
    with pytest.raises(InvalidInput) as error:
        estimate(**changes)
    assert part in str(error.value)
    assert "\n" not in str(error.value)
