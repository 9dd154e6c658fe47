"""For all scenes: nobody's order, names or sides matter, and nothing but a value or InvalidInput comes out."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from tests.helpers.synthetic_scenes import K0, K1, SIZE0, plane_scene, space_scene

from tiepoint.errors import InvalidInput
from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.estimate import (
    estimate_affine,
    estimate_essential,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    estimate_similarity,
)
from tiepoint.geometry.intrinsics import parse_intrinsics
from tiepoint.geometry.metrics import corner_error_px, pose_error_deg
from tiepoint.geometry.multiview import invert_pose
from tiepoint.geometry.solver import ESTIMATORS
from tiepoint.types import Camera, TwoViewEstimate

KINDS = {
    "similarity": estimate_similarity,
    "affine": estimate_affine,
    "homography": estimate_homography,
    "fundamental": estimate_fundamental,
    "essential": estimate_essential,
    "pose": estimate_relative_pose,
}
SEEDS = st.integers(0, 2**31 - 1)
COORDINATES = st.floats(-1e4, 1e4) | st.integers(-3, 3).map(float)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method"), ESTIMATORS)
@settings(max_examples=25)
@given(data=st.data(), seed=SEEDS)
def test_any_points_give_an_estimate_or_a_reason(kind: str, method: str, data: st.DataObject, seed: int):
    count = data.draw(st.integers(0, 12))
    points = data.draw(arrays.arrays(np.float64, (2, count, 2), elements=COORDINATES))
    cameras = {"camera0": K0, "camera1": K1} if kind in ("essential", "pose") else {}
    found = KINDS[kind](points[0], points[1], method=method, seed=seed, **cameras)
    assert isinstance(found, TwoViewEstimate)
    assert found.success == (found.reason == "")
    assert found.inliers.shape == (count,)
    assert found.success == (found.num_inliers > 0)


@pytest.mark.parametrize("method", ["poselib", "opencv", "pycolmap"])
@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_reverse_of_a_homography_is_its_inverse(method: str, seed: int):
    scene = plane_scene(200, seed=seed, noise_px=0.1, outlier_share=0.3)
    there = estimate_homography(scene.points0, scene.points1, method=method)
    back = estimate_homography(scene.points1, scene.points0, method=method)
    assert corner_error_px(np.linalg.inv(back.matrix), there.matrix, SIZE0) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["poselib", "opencv", "pycolmap"])
@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_reverse_of_a_pose_is_its_inverse(method: str, seed: int):
    scene = space_scene(200, seed=seed, noise_px=0.1, outlier_share=0.3)
    there = estimate_relative_pose(scene.points0, scene.points1, method=method, camera0=K0, camera1=K1)
    back = estimate_relative_pose(scene.points1, scene.points0, method=method, camera0=K1, camera1=K0)
    assert pose_error_deg(invert_pose(back.cam1_from_cam0), there.cam1_from_cam0) < 0.5


@settings(max_examples=25)
@given(seed=SEEDS, order=st.randoms(use_true_random=False))
def test_dlt_does_not_depend_on_the_order(seed: int, order):
    scene = plane_scene(30, seed=seed, outlier_share=0, noise_px=1.0)
    weights = np.random.default_rng(seed).uniform(0.1, 1, 30)
    rows = list(range(30))
    order.shuffle(rows)
    first = weighted_dlt(scene.points0, scene.points1, weights)
    second = weighted_dlt(scene.points0[rows], scene.points1[rows], weights[rows])
    assert corner_error_px(first, second, SIZE0) < 1e-6


@given(
    focal=st.tuples(st.floats(1, 1e5), st.floats(1, 1e5)),
    center=st.tuples(st.floats(-0.5, 1599.5), st.floats(-0.5, 1199.5)),
    scale=st.floats(1e-3, 1e3),
)
def test_cameras_come_back_from_their_matrices(
    focal: tuple[float, float], center: tuple[float, float], scale: float
):
    camera = Camera(model="PINHOLE", image_size=(1600, 1200), params=(*focal, *center))
    assert np.array_equal(Camera.from_intrinsics(camera.intrinsics, None).intrinsics, camera.intrinsics)
    again = Camera.from_intrinsics(scale * camera.intrinsics, None)
    assert again.intrinsics == pytest.approx(camera.intrinsics, rel=1e-9, abs=1e-9)


@given(text=st.text(alphabet="0123456789.,;-+e nainf\n/\0K"))
def test_any_text_is_a_camera_or_refused_in_one_line(text: str):
    try:
        camera = parse_intrinsics(text, (1600, 1200))
    except InvalidInput as error:
        camera, lines = None, str(error).splitlines()
    assert len(lines) == 1 if camera is None else camera.image_size == (1600, 1200)
