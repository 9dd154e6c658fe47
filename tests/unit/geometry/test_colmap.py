"""COLMAP models read with pycolmap, in tiepoint's conventions."""

import sys
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.geometry.colmap import cam_from_world, camera_from_colmap, read_reconstruction
from tiepoint.types import CAMERA_MODELS


@pytest.fixture(scope="module")
def reconstruction() -> pycolmap.Reconstruction:
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=1, num_cameras_per_rig=1, num_frames_per_rig=4, num_points3D=50
    )
    return pycolmap.synthesize_dataset(options)


@pytest.mark.parametrize("form", ["text", "binary"])
def test_poses_and_cameras(form: str, reconstruction: pycolmap.Reconstruction, tmp_path: Path) -> None:
    getattr(reconstruction, f"write_{form}")(str(tmp_path))
    found = read_reconstruction(tmp_path)
    for image_id, image in reconstruction.images.items():
        np.testing.assert_allclose(
            cam_from_world(found.image(image_id)), image.cam_from_world().matrix(), atol=1e-12
        )
        camera = camera_from_colmap(found.camera(image.camera_id))
        theirs = reconstruction.camera(image.camera_id)
        assert camera.image_size == (theirs.width, theirs.height)
        assert camera.principal_point == (theirs.principal_point_x - 0.5, theirs.principal_point_y - 0.5)


@pytest.mark.parametrize("name", CAMERA_MODELS)
def test_parameters_have_colmaps_order(name: str) -> None:
    theirs = pycolmap.Camera.create_from_model_name(1, name, 500.0, 640, 480)
    names = theirs.params_info.replace(" k", " k1") if name == "SIMPLE_RADIAL" else theirs.params_info
    assert tuple(names.split(", ")) == CAMERA_MODELS[name]
    camera = camera_from_colmap(theirs)
    assert camera.focal_lengths == (500.0, 500.0)
    assert camera.principal_point == (319.5, 239.5)


def test_an_unsupported_camera_is_refused() -> None:
    camera = pycolmap.Camera.create_from_model_name(1, "OPENCV_FISHEYE", 500.0, 640, 480)
    with pytest.raises(InvalidInput, match="OPENCV_FISHEYE"):
        camera_from_colmap(camera)


def test_an_image_without_a_pose_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"a\.jpg"):
        cam_from_world(pycolmap.Image(name="a.jpg"))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cameras, images and points3D"):
        read_reconstruction(tmp_path)


def test_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingDependency, match=r"tiepoint\[eval\]"):
        read_reconstruction(tmp_path, extra="eval")
