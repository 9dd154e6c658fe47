"""Cameras and poses in OpenSfM's conventions."""

import numpy as np
import pytest

from tiepoint.collection.export.opensfm_model import OpenSfMCameras, reconstruction_json
from tiepoint.collection.export.sparse_model import SparseModel
from tiepoint.collection.images import CameraKey


def test_images_without_a_pose_share_prior_cameras(model: SparseModel) -> None:
    cameras = OpenSfMCameras(model)
    registered = model.images[0].name
    cameras.add(registered, CameraKey("", (640, 480), None))
    cameras.add("new.jpg", CameraKey("left", (480, 640), 800.0))
    cameras.add("other.jpg", CameraKey("left", (480, 640), 800.0))
    cameras.add("plain.jpg", CameraKey("left", (480, 640), None))
    assert cameras.camera_of[registered] == "camera 0"
    assert cameras.camera_of["new.jpg"] == cameras.camera_of["other.jpg"] != cameras.camera_of["plain.jpg"]
    found = cameras.models[cameras.camera_of["new.jpg"]]
    assert (found["focal_x"], found["focal_y"]) == (800 / 640, 800 / 640)
    assert cameras.models[cameras.camera_of["plain.jpg"]]["focal_x"] == pytest.approx(1.2)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, np.pi])
def test_rotations_are_axis_times_angle(angle: float, model: SparseModel) -> None:
    c, s = np.cos(angle), np.sin(angle)
    image = model.images[0]
    pose = np.column_stack([np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), np.zeros(3)])
    object.__setattr__(image, "cam_from_world", pose)
    names = {each.name: each.name for each in model.images}
    shot = reconstruction_json(model, OpenSfMCameras(model), names)["shots"][image.name]
    np.testing.assert_allclose(np.abs(shot["rotation"]), [0, angle, 0], atol=1e-7)
