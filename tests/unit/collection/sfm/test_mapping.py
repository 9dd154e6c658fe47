"""Mappers with what is known: GPS positions, intrinsics, poses."""

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from tests.helpers.known_poses import enu, locate, write_images_txt, write_transforms
from tests.helpers.synthetic_collections import FOCAL, PLAIN_NAMES, SIZE, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.mapping import MappingOptions
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import cam_from_world
from tiepoint.types import Camera

Made = tuple[Collection, Scene]
CAMERA = Camera(model="SIMPLE_PINHOLE", image_size=None, params=(FOCAL, (SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_collection(tmp_path_factory.mktemp("mapping"))


def pose(collection: Collection, name: str) -> np.ndarray:
    return cam_from_world(read_model(collection).find_image_with_name(name))


def shape_error(collection: Collection, scene: Scene) -> float:
    """Largest error of a camera position after alignment."""
    model = read_model(collection)
    found = np.array([model.find_image_with_name(name).projection_center() for name in PLAIN_NAMES])
    true = np.array([scene.center(name) for name in PLAIN_NAMES])
    similarity = pycolmap.estimate_sim3d(found, true)
    return float(max(np.linalg.norm(similarity * a - b) for a, b in zip(found, true, strict=True)))


def test_priors_put_the_model_on_the_earth(made: Made) -> None:
    collection, scene = locate(made[0], made[1], error_m=0.05), made[1]
    found = reconstruct(collection, use_priors=True)
    assert found.registered == len(PLAIN_NAMES)
    model = read_model(collection)
    first = enu(scene, PLAIN_NAMES[0])
    for name in PLAIN_NAMES:
        center = model.find_image_with_name(name).projection_center()
        np.testing.assert_allclose(center, enu(scene, name) - first, atol=0.2)  # of 62 m


def test_priors_have_the_accuracy_of_the_exif_data(made: Made) -> None:
    collection = locate(*made, error_m=3.0)
    reconstruct(collection, mapper_options={"init_min_num_inliers": 100_000, "init_num_trials": 1})
    with pycolmap.Database.open(str(collection.folder / "colmap" / "database.db")) as database:
        priors = database.read_all_pose_priors()
    assert len(priors) == len(PLAIN_NAMES)
    np.testing.assert_allclose(priors[0].position_covariance, np.diag([9.0, 9.0, 36.0]))


def test_too_few_priors_are_an_error(made: Made) -> None:
    with pytest.raises(InvalidInput, match="use_priors: 0 of 6 images have a GPS position"):
        reconstruct(made[0], use_priors=True)


def test_global_mapper(made: Made) -> None:
    collection, scene = made
    found = reconstruct(collection, mapper="global")
    assert (found.registered, found.models) == (len(PLAIN_NAMES), 1)
    assert found.initialization == "global mapper after view graph calibration"
    assert found.mean_reprojection_error_px < 0.3
    assert shape_error(collection, scene) < 0.05  # of 6.4


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_known_intrinsics_are_kept(mapper: Any, made: Made) -> None:
    collection, _ = made
    found = reconstruct(collection, mapper=mapper, intrinsics=CAMERA)
    assert found.registered == len(PLAIN_NAMES)
    (camera,) = read_model(collection).cameras.values()
    expected = (FOCAL, FOCAL, SIZE[0] / 2, SIZE[1] / 2, 0, 0, 0, 0)
    np.testing.assert_allclose(camera.params, expected)


def test_known_poses_are_kept_exactly(made: Made, tmp_path: Path) -> None:
    collection, scene = made
    found = reconstruct(collection, poses=write_transforms(tmp_path / "transforms.json", scene, PLAIN_NAMES))
    assert (found.registered, found.initialization) == (len(PLAIN_NAMES), "known poses")
    assert found.points > 250
    assert found.mean_reprojection_error_px < 0.3
    for name in PLAIN_NAMES:
        np.testing.assert_allclose(pose(collection, name), scene.cam_from_world[name], atol=1e-9)


def test_refined_poses_are_nearer_to_the_truth(made: Made, tmp_path: Path) -> None:
    collection, scene = made
    noise = 0.02
    file = write_transforms(tmp_path / "transforms.json", scene, PLAIN_NAMES, noise=noise)
    kept = reconstruct(collection, poses=file)
    refined = reconstruct(collection, poses=file, refine_poses=True)
    assert refined.mean_reprojection_error_px < min(0.3, kept.mean_reprojection_error_px / 2)
    assert shape_error(collection, scene) < noise / 2
    assert (
        abs(pose(collection, "a.jpg") - scene.cam_from_world["a.jpg"]).max() < 10 * noise
    )  # scale of the noise


def test_images_without_a_pose_are_registered(made: Made, tmp_path: Path) -> None:
    collection, scene = made
    known = PLAIN_NAMES[:4]
    found = reconstruct(collection, poses=write_images_txt(tmp_path / "images.txt", scene, known))
    assert found.registered == len(PLAIN_NAMES)
    for name in PLAIN_NAMES:
        tolerance = 1e-9 if name in known else 0.02
        np.testing.assert_allclose(pose(collection, name), scene.cam_from_world[name], atol=tolerance)


def test_poses_of_another_scene_give_a_reason(made: Made, tmp_path: Path) -> None:
    collection, scene = made
    wrong = Scene(
        scene.points,
        dict(zip(PLAIN_NAMES, reversed(scene.cam_from_world.values()), strict=True)),
        scene.descriptors,
    )
    poses = {name: pose * [[1], [-1], [-1]] for name, pose in wrong.cam_from_world.items()}
    file = write_images_txt(
        tmp_path / "images.txt", Scene(scene.points, poses, scene.descriptors), PLAIN_NAMES
    )
    found = reconstruct(collection, poses=file)
    assert not found.success
    assert "the matches do not fit the known poses" in found.reason


def test_options_that_exclude_each_other(tmp_path: Path, made: Made) -> None:
    file = write_images_txt(tmp_path / "images.txt", made[1], PLAIN_NAMES)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"mapper": "global", "use_priors": True}, "use_priors is an option of the incremental mapper"),
        ({"mapper": "global", "poses": file}, "poses is an option of the incremental mapper"),
        ({"use_priors": True, "poses": file}, "exclude each other"),
        ({"refine_poses": True}, "refine_poses requires poses"),
        ({"mapper": "global", "mapper_options": {"init_min_tri_angle": 4}}, "GlobalPipelineOptions"),
    )
    for options, message in cases:
        with pytest.raises(InvalidInput, match=message):
            MappingOptions(**options)


def test_cameras_of_other_sizes_are_refused(made: Made, tmp_path: Path) -> None:
    file = write_images_txt(tmp_path / "images.txt", made[1], PLAIN_NAMES)
    (tmp_path / "cameras.txt").write_text("1 SIMPLE_PINHOLE 320 240 350 160 120\n")
    with pytest.raises(InvalidInput, match=r"640 x 480 px, but its camera in the poses 320 x 240 px"):
        reconstruct(made[0], poses=file)
    with pytest.raises(InvalidInput, match="principal point"):
        reconstruct(
            made[0],
            intrinsics=Camera(model="SIMPLE_PINHOLE", image_size=None, params=(FOCAL, 3000.0, 2000.0)),
        )
