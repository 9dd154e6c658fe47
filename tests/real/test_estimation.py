"""Two-view geometry of real images: homographies and poses with measured ground truth."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiepoint
from tiepoint import InvalidInput, MatchResult
from tiepoint.geometry.metrics import corner_error_px, pose_error_deg

pytestmark = [pytest.mark.real, pytest.mark.weights]

METHODS = ("poselib", "opencv", "pycolmap")
GRAF = ("oxford_affine/graf/img1.jpg", "oxford_affine/graf/img2.jpg")
FOUNTAIN = ("strecha/fountain-P11/images/0000.jpg", "strecha/fountain-P11/images/0001.jpg")
DOOR = ("lund_door12/images/DSC_0001.JPG", "lund_door12/images/DSC_0002.JPG")


@cache
def matched(folder: Path, names: tuple[str, str]) -> MatchResult:
    return matcher().match(*(folder / name for name in names))


@cache
def matcher() -> Any:
    return tiepoint.load("aliked+lightglue", max_keypoints=1024)


def truth(folder: Path, names: tuple[str, str]) -> dict[str, np.ndarray]:
    for line in (folder / "pairs.jsonl").read_text().splitlines():
        pair = json.loads(line)
        if (pair["a"], pair["b"]) == names:
            shapes = {"H": (3, 3), "K0": (3, 3), "K1": (3, 3), "T": (4, 4)}
            return {key: np.array(pair[key]).reshape(shape) for key, shape in shapes.items() if key in pair}
    raise LookupError(names)


@pytest.mark.parametrize("method", METHODS)
def test_planar_scenes(shared_data: Path, method: str):
    result = matched(shared_data, GRAF)
    found = tiepoint.estimate_homography(result, method=method)
    assert corner_error_px(found.matrix, truth(shared_data, GRAF)["H"], result.features0.image_size) < 3.0
    assert found.num_inliers > 0.9 * len(result) > 200


def test_dlt_of_the_inliers_of_another_estimate(shared_data: Path):
    result = matched(shared_data, GRAF)
    fitting = result.inliers(tiepoint.estimate_homography(result, max_error_px=2.0))
    found = tiepoint.estimate_homography(fitting, method="dlt")
    assert corner_error_px(found.matrix, truth(shared_data, GRAF)["H"], result.features0.image_size) < 3.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("names", [FOUNTAIN, DOOR], ids=["fountain", "door"])
def test_calibrated_images(shared_data: Path, names: tuple[str, str], method: str):
    result, true = matched(shared_data, names), truth(shared_data, names)
    found = tiepoint.estimate_relative_pose(result, method=method, camera0=true["K0"], camera1=true["K1"])
    assert pose_error_deg(found.cam1_from_cam0, true["T"][:3]) < 0.6
    assert found.cam1_from_cam0[:, 3] @ true["T"][:3, 3] > 0
    assert found.num_inliers > 0.8 * len(result) > 200


def test_pose_with_exif_focal_lengths(shared_data: Path):
    found = tiepoint.estimate_relative_pose(matched(shared_data, DOOR))
    true = truth(shared_data, DOOR)
    assert (found.camera0.source, found.camera1.source) == ("exif", "exif")
    assert found.camera0.focal_lengths[0] == pytest.approx(true["K0"][0, 0], rel=0.06)
    assert pose_error_deg(found.cam1_from_cam0, true["T"][:3]) < 1.0


def test_default_focal_lengths_are_flagged(shared_data: Path):
    """These images have no EXIF data; their focal length is 0.9 times the longer side, not 1.2 times."""
    found = tiepoint.estimate_relative_pose(matched(shared_data, FOUNTAIN))
    assert (found.camera0.source, found.camera1.source) == ("default", "default")
    assert pose_error_deg(found.cam1_from_cam0, truth(shared_data, FOUNTAIN)["T"][:3]) < 6.0


@pytest.mark.parametrize("scale", [1 / 3, 0.5, 2.0])
def test_intrinsics_of_a_resized_image_are_detected(shared_data: Path, scale: float):
    """Images are often calibrated at one size and matched at another."""
    true = truth(shared_data, FOUNTAIN)
    resized = true["K0"] * np.array([[scale], [scale], [1.0]])
    with pytest.raises(InvalidInput, match=r"camera0.* suggests an image of about"):
        tiepoint.estimate_relative_pose(matched(shared_data, FOUNTAIN), camera0=resized, camera1=true["K1"])


@pytest.mark.parametrize("method", METHODS)
def test_fundamental_matrices_keep_correct_matches(shared_data: Path, method: str):
    result, true = matched(shared_data, FOUNTAIN), truth(shared_data, FOUNTAIN)
    found = tiepoint.estimate_fundamental(result, method=method)
    posed = tiepoint.estimate_relative_pose(result, camera0=true["K0"], camera1=true["K1"])
    assert (found.inliers == posed.inliers).mean() > 0.97
    assert len(result.inliers(found)) == found.num_inliers
