"""Degenerate configurations: every estimator, kind of model and kind of degeneracy; and what stays determined.

Cases of public reports: colmap/colmap#1411, openMVG/openMVG#1119, cvg/LightGlue#160.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.helpers.degenerate_points import (
    ROTATION,
    Points,
    degrade,
    homography_points,
    line_points,
    world_points,
)
from tests.helpers.ransac_problems import problem as ransac_problem
from tests.helpers.synthetic_scenes import HOMOGRAPHY, K0, K1, POSE, SIZE0, SIZE1, plane_scene, space_scene

from tiepoint.geometry.backends.base import Model
from tiepoint.geometry.degeneracy import reason_degenerate, reason_insufficient
from tiepoint.geometry.estimate import (
    estimate_affine,
    estimate_essential,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    estimate_similarity,
)
from tiepoint.geometry.metrics import corner_error_px, pose_error_deg
from tiepoint.geometry.multiview import cross_matrix, warp_points
from tiepoint.geometry.solver import ESTIMATORS
from tiepoint.types import PLANAR_KINDS, Camera, TwoViewEstimate

CAMERAS = (Camera.from_intrinsics(K0, SIZE0), Camera.from_intrinsics(K1, SIZE1))
KINDS: dict[str, Callable[..., TwoViewEstimate]] = {
    "similarity": estimate_similarity,
    "affine": estimate_affine,
    "homography": estimate_homography,
    "fundamental": estimate_fundamental,
    "essential": estimate_essential,
    "pose": estimate_relative_pose,
}
EPIPOLAR = [row for row in ESTIMATORS if row[0] not in PLANAR_KINDS]
HOMOGRAPHIES = [method for kind, method in ESTIMATORS if kind == "homography"]
NOISE = pytest.mark.parametrize(
    ("noise_px", "outliers"), [(0.0, 0), (0.3, 0), (0.0, 2), (0.0, 20), (0.5, 40), (0.3, 100)]
)


def estimate(kind: str, method: str, points: Points, **options: Any) -> TwoViewEstimate:
    cameras = {} if kind in (*PLANAR_KINDS, "fundamental") else {"camera0": K0, "camera1": K1}
    return KINDS[kind](*points, method=method, **cameras, **options)


problem = partial(ransac_problem, max_error_px=1.0, cameras=CAMERAS)


class TestPureRotation:
    @NOISE
    @pytest.mark.parametrize(("kind", "method"), EPIPOLAR)
    def test_no_epipolar_geometry(self, kind: str, method: str, noise_px: float, outliers: int):
        found = estimate(kind, method, homography_points(ROTATION, noise_px=noise_px, outliers=outliers))
        assert not found.success
        assert "pure rotation" in found.reason or "no consensus" in found.reason

    def test_the_reason(self):
        points = homography_points(ROTATION, noise_px=0.3, outliers=20)
        assert "translation is not observable" in estimate("pose", "poselib", points).reason
        assert "under-determined" in estimate("fundamental", "poselib", points).reason

    @pytest.mark.parametrize("max_error_px", [0.5, 2.0, 4.0])
    def test_at_other_thresholds(self, max_error_px: float):
        points = homography_points(ROTATION, noise_px=max_error_px / 3, outliers=50)
        for kind in ("fundamental", "pose"):
            assert not estimate(kind, "poselib", points, max_error_px=max_error_px).success

    def test_the_homography_is_determined(self):
        points = homography_points(ROTATION, noise_px=0.3, outliers=50)
        for method in HOMOGRAPHIES[:-1]:  # without DLT, which has no outlier rejection
            found = estimate("homography", method, points)
            assert corner_error_px(found.matrix, ROTATION, SIZE0) < 1

    def test_a_distant_background_leaves_the_pose_determined(self):
        """Nine tenths of the matches are at infinity; the others have parallax."""
        far = homography_points(K1 @ POSE[:, :3] @ np.linalg.inv(K0), count=360)
        near = world_points(space=40)
        points = degrade((np.vstack([far[0], near[0]]), np.vstack([far[1], near[1]])), noise_px=0.2)
        found = estimate("pose", "poselib", points)
        assert pose_error_deg(found.cam1_from_cam0, POSE) < 1


class TestPlane:
    @NOISE
    @pytest.mark.parametrize("method", ["poselib", "opencv", "opencv-ransac", "pycolmap"])
    def test_no_fundamental_matrix(self, method: str, noise_px: float, outliers: int):
        points = degrade(world_points(plane=200), noise_px=noise_px, outliers=outliers)
        found = estimate("fundamental", method, points)
        assert not found.success
        assert "under-determined" in found.reason or "no consensus" in found.reason

    @pytest.mark.parametrize("method", ["poselib", "pycolmap"])
    @pytest.mark.parametrize("kind", ["essential", "pose"])
    def test_two_poses_explain_a_plane(self, kind: str, method: str):
        """Motion towards a slanted plane: visibility excludes neither solution."""
        H = K1 @ (POSE[:, :3] + 0.2 * np.outer([0.3, 0.1, 0.9], [0.4, 0.2, 0.9])) @ np.linalg.inv(K0)
        points0 = np.random.default_rng(0).uniform((600, 400), (1000, 800), (200, 2))
        found = estimate(kind, method, degrade((points0, warp_points(points0, H)), noise_px=0.2, outliers=20))
        assert "two relative poses" in found.reason

    def test_visibility_leaves_one_pose(self):
        points = degrade(world_points(plane=200), noise_px=0.3, outliers=20)
        assert pose_error_deg(estimate("pose", "poselib", points).cam1_from_cam0, POSE) < 1

    def test_a_tenth_of_the_matches_off_the_plane_determine_a_fundamental_matrix(self):
        points = degrade(world_points(plane=200, space=20), noise_px=0.2, outliers=40)
        assert estimate("fundamental", "poselib", points).success

    @pytest.mark.parametrize("method", HOMOGRAPHIES)
    @pytest.mark.parametrize("flip", [(-1, 1), (1, -1)], ids=["horizontal", "vertical"])
    def test_homographies_of_mirrored_images(self, method: str, flip: tuple[int, int]):
        """Such as a slide scanned from its back (cvg/LightGlue#160)."""
        points = np.random.default_rng(0).uniform(0, 1000, (100, 2))
        mirrored = points * flip + np.where(np.array(flip) < 0, 1000, 0)
        found = estimate_homography(points, mirrored, method=method)
        assert found.num_inliers == 100
        assert np.linalg.det(found.matrix) < 0
        assert np.abs(warp_points(points, found.matrix) - mirrored).max() < 1e-3

    @pytest.mark.parametrize("method", ["poselib", "opencv"])
    def test_a_mirrored_homography_among_outliers(self, method: str):
        points0, points1 = homography_points(np.diag([-1.0, 1, 1]) @ HOMOGRAPHY, noise_px=0.5, outliers=80)
        found = estimate_homography(points0, points1, method=method)
        assert found.num_inliers >= 198

    def test_no_epipolar_geometry_of_mirrored_images(self):
        points = np.random.default_rng(0).uniform(0, 1000, (100, 2))
        mirrored = points * [-1, 1] + [1000, 0]
        assert "under-determined" in estimate_fundamental(points, mirrored).reason
        assert "mirror image" in estimate("pose", "poselib", (points, mirrored)).reason


class TestLine:
    @pytest.mark.parametrize("noise_px", [0.0, 0.3, 0.5])
    @pytest.mark.parametrize("count", [4, 20, 1000])
    @pytest.mark.parametrize("method", HOMOGRAPHIES)
    def test_collinear_points_with_noise(self, method: str, count: int, noise_px: float):
        points = degrade(line_points(count), noise_px=noise_px)
        assert "collinear in image 0" in estimate("homography", method, points).reason

    @pytest.mark.parametrize(("count", "noise_px"), [(3, 0.0), (3, 0.4), (50, 0.0), (50, 0.4)])
    @pytest.mark.parametrize("method", HOMOGRAPHIES)
    def test_all_but_one_on_a_line(self, method: str, count: int, noise_px: float):
        points = degrade(line_points(count, 1), noise_px=noise_px)
        assert (
            f"{count} of {count + 1} matched points are collinear"
            in estimate("homography", method, points).reason
        )

    @pytest.mark.parametrize("method", ["poselib", "opencv", "opencv-ransac", "pycolmap"])
    def test_outliers_do_not_determine_the_homography_of_a_line(self, method: str):
        for off_line in (0, 1):
            points = degrade(line_points(50, off_line), noise_px=0.3, outliers=20)
            assert not estimate("homography", method, points).success

    @pytest.mark.parametrize(
        ("line", "space", "noise_px", "outliers"),
        [(100, 0, 0.3, 0), (50, 1, 0.0, 0), (50, 1, 0.3, 0), (50, 0, 0.3, 20)],
    )
    @pytest.mark.parametrize(("kind", "method"), EPIPOLAR)
    def test_no_epipolar_geometry(
        self, kind: str, method: str, line: int, space: int, noise_px: float, outliers: int
    ):
        points = degrade(world_points(line=line, space=space), noise_px=noise_px, outliers=outliers)
        assert not estimate(kind, method, points).success

    def test_other_points_determine_the_models(self):
        H = estimate("homography", "poselib", degrade(line_points(50, 10), noise_px=0.3, outliers=30))
        assert corner_error_px(H.matrix, HOMOGRAPHY, (1000, 700)) < 3
        pose = estimate("pose", "poselib", degrade(world_points(line=50, space=10), noise_px=0.2))
        assert pose_error_deg(pose.cam1_from_cam0, POSE) < 3

    def test_a_narrow_strip_wider_than_the_threshold_is_no_line(self):
        points = degrade(line_points(100, 400, distance_px=20), noise_px=0.3)
        found = estimate("homography", "poselib", points)
        assert corner_error_px(found.matrix, HOMOGRAPHY, (1000, 700)) < 5


class TestRepetition:
    """Copies of a match are no further support (PointCloudLibrary/pcl#5118, opencv/opencv#25546)."""

    @pytest.mark.parametrize("copies", [5, 20])
    @pytest.mark.parametrize(("kind", "method"), [row for row in ESTIMATORS if row[1] != "dlt"])
    def test_copies_of_a_few_random_matches(self, kind: str, method: str, copies: int):
        rng = np.random.default_rng(0)
        few, others = rng.uniform(0, 1000, (2, 7, 2)), rng.uniform(0, 1000, (2, 60, 2))
        points = np.concatenate([np.repeat(few, copies, axis=1), others], axis=1)
        assert not estimate(kind, method, (points[0], points[1])).success

    def test_copies_do_not_change_an_estimate(self):
        points = degrade(world_points(space=60), noise_px=0.3, outliers=20)
        once = estimate("pose", "poselib", points)
        twice = estimate(
            "pose", "poselib", (np.repeat(points[0], 2, axis=0), np.repeat(points[1], 2, axis=0))
        )
        assert twice.num_inliers == pytest.approx(2 * once.num_inliers, abs=4)

    @pytest.mark.parametrize("method", HOMOGRAPHIES)
    @pytest.mark.parametrize("others", [3, 10, 30])
    def test_many_keypoints_on_one_target(self, method: str, others: int):
        rng = np.random.default_rng(0)
        points0, points1 = rng.uniform(0, 1000, (2, 27 + others, 2))
        points1[:27] = (583.3, 931.1)
        assert not estimate("homography", method, (points0, points1)).success


class TestPoint:
    @pytest.mark.parametrize("scale", [1.0, 4.0])
    @pytest.mark.parametrize(("kind", "method"), ESTIMATORS)
    def test_points_that_spread_less_than_the_threshold(self, kind: str, method: str, scale: float):
        """Normalized coordinates with a threshold in px: any model has all inliers."""
        points = np.random.default_rng(0).uniform(0, scale, (2, 50, 2))
        found = estimate(kind, method, (points[0], points[1]), max_error_px=3.0)
        assert "spread over" in found.reason
        assert "threshold of 3 px" in found.reason

    def test_image_0_of_a_homography_may_have_another_unit(self):
        """A target in m, for example."""
        points0 = np.random.default_rng(0).uniform(0, 1, (50, 2))
        assert estimate_homography(points0, 500 * points0 + 100).success
        assert "image 1" in estimate_homography(500 * points0 + 100, points0).reason

    @pytest.mark.parametrize("spread_px", [8, 20, 1000])
    @pytest.mark.parametrize(("kind", "method"), [row for row in ESTIMATORS if row[1] != "dlt"])
    def test_random_matches_agree_by_chance_only(self, kind: str, method: str, spread_px: float):
        points = np.random.default_rng(1).uniform(0, spread_px, (2, 60, 2))
        assert not estimate(kind, method, (points[0], points[1])).success


def test_collinear_inliers_among_outliers_do_not_determine_a_homography():
    scene = plane_scene(60, outlier_share=0, noise_px=0)
    scene.points0[:50] = np.column_stack([np.linspace(0, 900, 50), np.linspace(50, 320, 50)])
    scene.points1[:50] = warp_points(scene.points0[:50], scene.homography)
    given = problem(scene.points0, scene.points1)
    inliers = np.arange(60) < 50
    assert reason_insufficient("homography", given) == ""
    assert "collinear in image 0" in reason_degenerate("homography", given, Model(scene.homography), inliers)
    assert reason_degenerate("homography", given, Model(scene.homography), np.ones(60, bool)) == ""


def test_singular_homographies_are_degenerate():
    scene = plane_scene(20, outlier_share=0)
    flat = Model(np.outer([1.0, 2.0, 1.0], [1.0, 0.0, 1.0]))
    reason = reason_degenerate("homography", problem(scene.points0, scene.points1), flat, np.ones(20, bool))
    assert "singular" in reason


@pytest.mark.parametrize(
    ("inlier_count", "reason"), [(5, "no consensus: only 5 of 20"), (7, "no consensus"), (12, "")]
)
def test_the_support_of_chance_is_no_consensus(inlier_count: int, reason: str):
    scene = space_scene(20, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    found = reason_degenerate("pose", given, Model(cam1_from_cam0=POSE), np.arange(20) < inlier_count)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_a_minimal_set_of_all_matches_is_sufficient():
    scene = plane_scene(4, outlier_share=0)
    given = problem(scene.points0, scene.points1)
    assert reason_degenerate("homography", given, Model(scene.homography), np.ones(4, bool)) == ""


@pytest.mark.parametrize(("count", "is_determined"), [(2, False), (4, True)])
def test_points_off_a_plane_determine_a_fundamental_matrix(count: int, is_determined: bool):
    """Any two outliers agree with a homography on some fundamental matrix; four agree by chance hardly ever."""
    scene = plane_scene(40, outlier_share=0, noise_px=0)
    inliers, model = np.ones(40, bool), Model(cross_matrix(np.array([1.0, 1.0, 0.0])) @ scene.homography)
    assert "planar" in reason_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers)
    scene.points1[:count] += 60.0  # towards the epipole (1, 1, 0)
    reason = reason_degenerate("fundamental", problem(scene.points0, scene.points1), model, inliers)
    assert (reason == "") == is_determined
