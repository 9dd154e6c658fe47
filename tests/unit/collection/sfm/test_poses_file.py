"""Files of known poses: the conventions of each, and what is refused."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.known_poses import write_images_txt, write_transforms
from tests.helpers.synthetic_collections import FOCAL, PLAIN_NAMES, SIZE, make_scene
from tests.helpers.synthetic_reconstruction import random_model

from tiepoint.collection.sfm.poses_file import KnownPoses, match_names, read_poses
from tiepoint.errors import InvalidInput

SCENE = make_scene(PLAIN_NAMES)


def assert_true(found: KnownPoses) -> None:
    named = match_names(found, PLAIN_NAMES, "poses")
    assert set(named.cam_from_world) == set(PLAIN_NAMES)
    for name, pose in named.cam_from_world.items():
        np.testing.assert_allclose(pose, SCENE.cam_from_world[name], atol=1e-9)
    assert {camera.mean_focal_length() for camera in named.cameras.values()} == {FOCAL}
    assert {(camera.width, camera.height) for camera in named.cameras.values()} == {SIZE}
    assert len({camera.camera_id for camera in named.cameras.values()}) == 1
    assert all(camera.has_prior_focal_length for camera in named.cameras.values())


def test_transforms(tmp_path: Path) -> None:
    assert_true(read_poses(write_transforms(tmp_path / "transforms.json", SCENE, PLAIN_NAMES)))


def test_images_txt(tmp_path: Path) -> None:
    file = write_images_txt(tmp_path / "images.txt", SCENE, PLAIN_NAMES)
    assert_true(read_poses(file))
    (tmp_path / "cameras.txt").unlink()
    found = read_poses(file)
    assert (len(found.cam_from_world), found.cameras) == (len(PLAIN_NAMES), {})


def test_folder_of_a_model(tmp_path: Path) -> None:
    model = random_model()
    model.write(str(tmp_path))
    found = read_poses(tmp_path)
    assert len(found.cam_from_world) == len(found.cameras) == 4
    model.write_text(str(tmp_path))
    again = read_poses(tmp_path / "images.txt")
    for name, pose in found.cam_from_world.items():
        np.testing.assert_allclose(again.cam_from_world[name], pose, atol=1e-9)


def test_field_of_view_and_frames_with_their_own_cameras(tmp_path: Path) -> None:
    eye = np.eye(4).tolist()
    frames = [
        {"file_path": "a", "transform_matrix": eye, "camera_angle_x": 2 * math.atan(0.5)},
        {"file_path": "b", "transform_matrix": eye, "fl_x": 500, "fl_y": 510, "cx": 3.0, "k1": 0.1},
    ]
    file = tmp_path / "transforms.json"
    file.write_text(json.dumps({"w": 640, "h": 480, "frames": frames}))
    found = read_poses(file).cameras
    assert found["a"].params.tolist() == pytest.approx([640, 640, 320, 240, 0, 0, 0, 0])
    assert found["b"].params.tolist() == [500, 510, 3, 240, 0.1, 0, 0, 0]
    assert found["a"].camera_id != found["b"].camera_id


def test_names_are_found_without_folders_and_suffixes() -> None:
    pose = np.eye(4)[:3]
    given = KnownPoses(cam_from_world=dict.fromkeys(["./train/left/1", "C:\\photos\\2.jpg", "3.jpg"], pose))
    found = match_names(given, ["left/1.png", "2.jpg", "other.jpg"], "poses")
    assert list(found.cam_from_world) == ["left/1.png", "2.jpg"]
    with pytest.raises(
        InvalidInput, match=r"none is of an image of the collection, such as './train/left/1'"
    ):
        match_names(given, ["x.jpg"], "poses")
    twice = KnownPoses(cam_from_world=dict.fromkeys(["a/1.jpg", "b/1.jpg"], pose))
    with pytest.raises(InvalidInput, match=r"'a/1.jpg' and 'b/1.jpg' are both the image '1.jpg'"):
        match_names(twice, ["1.jpg"], "poses")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": []}, "has no poses"),
        ({"camera_model": "OPENCV_FISHEYE"}, "unsupported camera model 'OPENCV_FISHEYE'"),
        (
            {"frames": [{"file_path": "a", "transform_matrix": (2 * np.eye(4)).tolist()}]},
            "rotation is invalid",
        ),
        ({"frames": [{"file_path": "a"}]}, "KeyError: 'transform_matrix'"),
        ({"fl_x": -700}, "invalid camera OPENCV"),
    ],
)
def test_invalid_transforms(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = write_transforms(tmp_path / "transforms.json", SCENE, PLAIN_NAMES)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InvalidInput, match=message):
        read_poses(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1 0 0 0 0 0 0 1\n", "expected transforms.json"),
        ("1 1 1 0 0 0 0 0 1 a.jpg\n", "has no unit length"),
        ("# nothing\n", "has no poses"),
    ],
)
def test_invalid_images_txt(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "images.txt"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_poses(file)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read the poses"):
        read_poses(tmp_path / "images.txt")
