"""reconstruct: correct poses, a summary that matches the model, failure as a value."""

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.reconstruction import Reconstruction, read_model, reconstruct
from tiepoint.errors import InvalidInput


def contents(folder: Path) -> dict[str, bytes]:
    """Files of models and summary, without the database."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "database.db"]
    return {str(path): path.read_bytes() for path in files}


Made = tuple[Collection, Scene, Reconstruction]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    collection, scene = make_collection(tmp_path_factory.mktemp("model"))
    return collection, scene, reconstruct(collection)


@pytest.mark.slow
def test_camera_positions_are_correct(made: Made) -> None:
    collection, scene, _ = made
    model = read_model(collection)
    found = np.array([model.find_image_with_name(name).projection_center() for name in PLAIN_NAMES])
    true = np.array([scene.center(name) for name in PLAIN_NAMES])
    similarity = pycolmap.estimate_sim3d(found, true)
    moved = np.array([similarity * center for center in found])
    assert np.linalg.norm(moved - true, axis=1).max() < 0.005 * np.linalg.norm(np.ptp(true, axis=0))


def test_summary_matches_the_model(made: Made) -> None:
    collection, _, found = made
    model = read_model(collection)
    assert found.success
    assert (found.images, found.registered, found.unregistered) == (6, 6, ())
    assert found.points == model.num_points3D() > 250
    assert found.mean_track_length == model.compute_mean_track_length() > 4
    assert 0.05 < found.mean_reprojection_error_px < 0.3
    assert (found.models, found.reason) == (1, "")
    assert found.folder == collection.folder / "colmap" / "sparse" / "0"


def test_summary_file(made: Made) -> None:
    collection, _, found = made
    written = json.loads((collection.folder / "colmap" / "reconstruction.json").read_text())
    assert written["points"] == found.points
    assert written["folder"] == str(found.folder)


@pytest.mark.slow
def test_second_reconstruction_replaces_the_model_identically(made: Made) -> None:
    collection, _, found = made
    before = {point.xyz.tobytes() for point in read_model(collection).points3D.values()}
    (collection.folder / "colmap" / "sparse" / "0" / "old").touch()
    again = reconstruct(collection.folder)
    assert {point.xyz.tobytes() for point in read_model(collection).points3D.values()} == before
    assert again.mean_reprojection_error_px == found.mean_reprojection_error_px
    assert not (collection.folder / "colmap" / "sparse" / "0" / "old").exists()
    kept = {path.name for path in (collection.folder / "colmap").iterdir()}
    assert kept == {"database.db", "sparse", "reconstruction.json"}


def test_too_few_images_fail_with_a_reason(tmp_path: Path) -> None:
    found = reconstruct(make_collection(tmp_path, PLAIN_NAMES[:1])[0])
    assert not found.success
    assert (found.images, found.registered, found.unregistered) == (1, 0, PLAIN_NAMES[:1])
    assert found.reason.startswith("no suitable initial pair")
    assert json.loads((tmp_path / "out" / "colmap" / "reconstruction.json").read_text())["folder"] is None


@pytest.mark.slow
def test_forward_motion_needs_a_relaxed_initialization(tmp_path: Path) -> None:
    """Such as in a street that is walked forwards: no pair has COLMAP's angle of 16 degrees, or less than 95 % forward motion."""
    collection, _ = make_collection(tmp_path, motion="forward")
    found = reconstruct(collection)
    assert found.registered == 6
    assert "init_max_forward_motion=1.0" in found.initialization
    assert found.attempts[0] == "default initialization"
    assert found.attempts[-1] == found.initialization
    written = json.loads((collection.folder / "colmap" / "reconstruction.json").read_text())
    assert written["initialization"] == found.initialization


def test_options_of_the_user_have_priority(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, motion="forward")
    found = reconstruct(
        collection, mapper_options={"init_max_forward_motion": 1.0, "mapper.init_min_tri_angle": 1.0}
    )
    assert (found.registered, found.attempts) == (6, ("default initialization",))
    with pytest.raises(InvalidInput, match="did you mean 'init_min_tri_angle'"):
        reconstruct(collection, mapper_options={"init_min_tri_angel": 1.0})


def test_a_failed_reconstruction_keeps_the_former_model_and_summary(made: Made) -> None:
    collection, _, _ = made
    folder = collection.folder / "colmap"
    before = contents(folder)
    found = reconstruct(collection, mapper_options={"init_min_num_inliers": 100_000, "init_num_trials": 1})
    assert not found.success
    assert str(folder / "sparse") in found.reason
    assert len(found.attempts) == 5
    assert found.attempts[2].startswith("initial pair ")
    assert contents(folder) == before


def test_a_rotating_camera_has_no_model(tmp_path: Path) -> None:
    found = reconstruct(make_collection(tmp_path, PLAIN_NAMES[:3], motion="none")[0])
    assert not found.success
    assert "pure rotation" in found.reason


def test_cameras_of_each_image(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:4])
    reconstruct(collection, cameras="each")
    assert read_model(collection).num_cameras() == 4


def test_missing_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:1])
    with pytest.raises(InvalidInput, match="no reconstruction"):
        read_model(collection)


def test_damaged_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:1])
    folder = collection.folder / "colmap" / "sparse" / "0"
    folder.mkdir(parents=True)
    for name in ("cameras", "images", "points3D", "rigs", "frames"):
        (folder / f"{name}.bin").write_bytes(b"damaged")
    with pytest.raises(InvalidInput, match="truncated"):
        read_model(collection)
