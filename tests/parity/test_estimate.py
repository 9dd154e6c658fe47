"""Three libraries on the same matches agree; and what is ours agrees with what is theirs."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import kornia
import numpy as np
import poselib
import pycolmap
import pytest
import torch
from tests.helpers.synthetic_scenes import K0, K1, SIZE0, SIZE1, plane_scene, space_scene

from tiepoint.geometry.backends.base import CONFIDENCE, MAX_ITERATIONS
from tiepoint.geometry.backends.dlt import weighted_dlt
from tiepoint.geometry.estimate import (
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
)
from tiepoint.geometry.intrinsics import default_camera, exif_camera, undistort
from tiepoint.geometry.metrics import corner_error_px, pose_error_deg, rotation_error_deg
from tiepoint.geometry.multiview import sampson_distances
from tiepoint.types import Camera

METHODS = ("poselib", "opencv", "pycolmap")
OPTIONS = {"max_iterations": MAX_ITERATIONS, "success_prob": CONFIDENCE, "seed": 0}


@pytest.mark.parametrize("seed", range(4))
def test_homographies_agree(seed: int):
    scene = plane_scene(600, seed=seed)
    found = {m: estimate_homography(scene.points0, scene.points1, method=m) for m in METHODS}
    for first, second in combinations(METHODS, 2):
        assert corner_error_px(found[first].matrix, found[second].matrix, SIZE0) < 1.0
        assert (found[first].inliers != found[second].inliers).mean() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_fundamental_matrices_agree(seed: int):
    """On the clean points of the scene, since entries of a matrix aren't pixels."""
    scene, clean = space_scene(600, seed=seed), space_scene(600, seed=seed, outlier_share=0, noise_px=0)
    for method in METHODS:
        found = estimate_fundamental(scene.points0, scene.points1, method=method, max_error_px=2.0)
        assert np.median(sampson_distances(clean.points0, clean.points1, found.matrix)) < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_poses_agree(seed: int):
    scene = space_scene(600, seed=seed)
    cameras = {"camera0": K0, "camera1": K1}
    found = [
        estimate_relative_pose(scene.points0, scene.points1, method=m, max_error_px=2.0, **cameras)
        for m in METHODS
    ]
    for first, second in combinations(found, 2):
        assert rotation_error_deg(first.cam1_from_cam0[:, :3], second.cam1_from_cam0[:, :3]) < 0.3
        assert pose_error_deg(first.cam1_from_cam0, second.cam1_from_cam0) < 1.0
        assert (first.inliers != second.inliers).mean() < 0.02


class TestInliersAreTheLibrariesOwn:
    """We count inliers ourselves, one way for all; on pinhole images that is what each library counts."""

    def test_of_poselib(self):
        plane, space = plane_scene(600), space_scene(600)
        _, info = poselib.estimate_homography(
            plane.points0, plane.points1, OPTIONS | {"max_reproj_error": 3.0}
        )
        ours = estimate_homography(plane.points0, plane.points1)
        assert ours.inliers.tolist() == info["inliers"]
        _, info = poselib.estimate_fundamental(
            space.points0, space.points1, OPTIONS | {"max_epipolar_error": 2.0}
        )
        ours = estimate_fundamental(space.points0, space.points1, max_error_px=2.0)
        assert ours.inliers.tolist() == info["inliers"]

    def test_of_poselib_for_poses(self):
        space = space_scene(600)
        cameras = [
            {"model": "PINHOLE", "width": w, "height": h, "params": [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]}
            for K, (w, h) in ((K0, SIZE0), (K1, SIZE1))
        ]
        found, info = poselib.estimate_relative_pose(
            space.points0, space.points1, *cameras, OPTIONS | {"max_epipolar_error": 2.0}
        )
        ours = estimate_relative_pose(space.points0, space.points1, max_error_px=2.0, camera0=K0, camera1=K1)
        direction = found.t / np.linalg.norm(found.t)  # PoseLib leaves it 1 to a few digits only
        assert ours.cam1_from_cam0 == pytest.approx(np.column_stack([found.R, direction]), abs=1e-12)
        assert (ours.inliers != np.array(info["inliers"])).mean() < 0.005  # points near infinity

    def test_of_opencv(self):
        """Seed 0 is what the flag USAC_MAGSAC takes: the same matrix, bit for bit."""
        plane, space = plane_scene(600), space_scene(600)
        H, mask = cv2.findHomography(
            plane.points0,
            plane.points1,
            cv2.USAC_MAGSAC,
            3.0,
            maxIters=MAX_ITERATIONS,
            confidence=CONFIDENCE,
        )
        ours = estimate_homography(plane.points0, plane.points1, method="opencv")
        assert np.array_equal(ours.matrix, H / H[2, 2])
        assert np.array_equal(ours.inliers, mask.ravel().astype(bool))
        F, mask = cv2.findFundamentalMat(
            space.points0, space.points1, cv2.USAC_MAGSAC, 2.0, CONFIDENCE, MAX_ITERATIONS
        )
        ours = estimate_fundamental(space.points0, space.points1, method="opencv", max_error_px=2.0)
        assert np.abs(ours.matrix) == pytest.approx(np.abs(F / np.linalg.norm(F)), abs=1e-12)
        assert np.array_equal(ours.inliers, mask.ravel().astype(bool))

    def test_of_pycolmap(self):
        plane, options = plane_scene(600), pycolmap.RANSACOptions()
        options.mergedict({"max_error": 3.0, "confidence": CONFIDENCE, "max_num_trials": MAX_ITERATIONS})
        options.random_seed = 0
        found = pycolmap.estimate_homography_matrix(plane.points0, plane.points1, options)
        ours = estimate_homography(plane.points0, plane.points1, method="pycolmap")
        assert ours.matrix == pytest.approx(found["H"] / found["H"][2, 2], abs=1e-12)
        assert np.array_equal(ours.inliers, found["inlier_mask"])


@pytest.mark.parametrize("weigh", [np.ones, np.random.default_rng(1).random], ids=["even", "weighted"])
def test_dlt_is_kornias(weigh: Callable[[int], np.ndarray]):
    scene = plane_scene(200, outlier_share=0, noise_px=2.0)
    weights = weigh(200)
    points = [torch.tensor(points)[None] for points in (scene.points0, scene.points1)]
    # its other solver, "lu", takes one step of inverse iteration, which ends 0.03 px away from the least squares
    find = kornia.geometry.homography.find_homography_dlt
    theirs = find(*points, torch.tensor(weights)[None], solver="svd")[0].numpy()
    ours = weighted_dlt(scene.points0, scene.points1, weights)
    assert corner_error_px(ours, theirs, SIZE0) < 1e-4


def test_undistortion_is_opencvs():
    camera = Camera.from_intrinsics(K0, SIZE0, distortion=(-0.25, 0.08, 1e-3, -2e-3))
    points = np.random.default_rng(0).uniform((0, 0), SIZE0, (500, 2))
    accurate = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-12)
    theirs = cv2.undistortPoints(points[:, None], K0, np.array(camera.distortion), P=K0, criteria=accurate)
    assert undistort(points, camera) == pytest.approx(theirs[:, 0], abs=1e-5)


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    ["lund_door12/images/DSC_0001.JPG", "opensfm_lund/images/01.jpg", "sceaux_castle/images/100_7100.JPG"],
    ids=["nikon-portrait", "phone", "kodak"],
)
def test_focal_lengths_are_colmaps(shared_data: Path, name: str):
    bitmap = pycolmap.Bitmap.read(str(shared_data / name), True)
    camera = exif_camera(shared_data / name, (bitmap.width, bitmap.height))
    assert camera.focal_lengths[0] == pytest.approx(bitmap.exif_focal_length(), rel=1e-3)


@pytest.mark.real
def test_guesses_are_colmaps(shared_data: Path):
    path = shared_data / "lightglue_assets" / "sacre_coeur1.jpg"
    theirs = pycolmap.infer_camera_from_image(path)
    ours = default_camera((theirs.width, theirs.height))
    assert ours.focal_lengths[0] == pytest.approx(theirs.focal_length)
    assert np.array(ours.principal_point) + 0.5 == pytest.approx(theirs.params[1:3])
