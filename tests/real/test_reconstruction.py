"""Reconstructions of real images: a castle, and a fountain with surveyed camera positions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pycolmap
import pytest
from tests.helpers.colmap_text import read_keypoints_text, read_match_text, run_mapper
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.formats import export_as
from tiepoint.collection.pairs.pairs_file import pairs_provenance, write_selected_pairs
from tiepoint.collection.run.runner import match_collection
from tiepoint.collection.sfm.reconstruction import Reconstruction, read_model, reconstruct
from tiepoint.collection.state import stores_location, write_state
from tiepoint.geometry.colmap import colmap_keypoints

pytestmark = [pytest.mark.real, pytest.mark.weights]

FOCAL_PX = 2905.88
"""Focal length in px from the K.txt of the data set."""

QUERY = "100_7105.JPG"


def copy_collection(castle: Collection, out: Path, *, without: str = "") -> Collection:
    """Writable output folder with the features and matches of the castle."""
    out.mkdir()
    kept = tuple(image for image in castle.images if image.name != without)
    stores = stores_location(castle.folder, castle.state.stores)
    state = replace(castle.state, images=kept, stores=stores)
    provenance = pairs_provenance(state.options["pairs"], kept, state.settings["features"], state.list_digest)
    write_state(out, state)
    write_selected_pairs(out, [pair for pair in castle.pairs() if without not in pair], provenance)
    return open_collection(out)


@pytest.fixture(scope="module")
def whole(castle: Collection, tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Reconstruction]:
    collection = copy_collection(castle, tmp_path_factory.mktemp("whole") / "out")
    return collection, reconstruct(collection)


def test_all_images_are_registered(whole: tuple[Collection, Reconstruction]) -> None:
    collection, found = whole
    assert (found.images, found.registered, found.models) == (11, 11, 1)
    assert found.points > 500
    assert found.mean_track_length > 4
    assert found.mean_reprojection_error_px < 1.5
    (camera,) = read_model(collection).cameras.values()
    assert camera.focal_length == pytest.approx(FOCAL_PX, rel=0.05)


def test_image_that_the_model_lacks_is_localized(
    castle: Collection, whole: tuple[Collection, Reconstruction], tmp_path: Path
) -> None:
    collection = copy_collection(castle, tmp_path / "less", without=QUERY)
    reconstruct(collection)
    query = next(image.path for image in castle.images if image.name == QUERY)
    picture, numbers = tmp_path / "where.jpg", tmp_path / "pose.json"
    command = ["localize", query, collection.folder, "-o", picture, "--json", numbers, "--num-images", "5"]
    result = CliRunner().invoke(app, [str(word) for word in command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    pose = json.loads(numbers.read_text())
    assert pose["num_inliers"] > 100
    assert pose["focal_source"] == "model"
    less, full = read_model(collection), read_model(whole[0])
    names = [image.name for image in collection.images]
    both = [np.array([m.find_image_with_name(n).projection_center() for n in names]) for m in (less, full)]
    moved = pycolmap.estimate_sim3d(*both) * np.array(pose["position"])
    error = np.linalg.norm(moved - full.find_image_with_name(QUERY).projection_center())
    assert error < 0.01 * np.linalg.norm(np.ptp(both[1], axis=0))
    with PIL.Image.open(picture) as drawn:
        assert drawn.width == 2048


def test_another_scene_has_no_pose(whole: tuple[Collection, Reconstruction], shared_data: Path) -> None:
    elsewhere = shared_data / "lightglue_assets" / "DSC_0410.JPG"
    result = CliRunner().invoke(app, ["localize", str(elsewhere), str(whole[0].folder)])
    assert result.exit_code == 1
    assert "cannot localize" in str(result.exception)


def test_text_files_hold_the_keypoints_exactly(whole: tuple[Collection, Reconstruction]) -> None:
    collection, _ = whole
    folder = export_as(collection, "colmap-text")
    for image in collection.images:
        rows = np.loadtxt(folder / "features" / f"{image.name}.txt", skiprows=1, usecols=(0, 1))
        expected = colmap_keypoints(collection.features(image.name))
        np.testing.assert_array_equal(rows.astype(np.float32), expected)


def test_text_files_give_the_same_model_as_the_database(
    whole: tuple[Collection, Reconstruction], tmp_path: Path
) -> None:
    """COLMAP creates images and camera itself, imports keypoints and matches, and verifies them."""
    collection, _ = whole
    photos, database = collection.images[0].path.parent, tmp_path / "text.db"
    write_database(export_as(collection, "colmap-text"), photos, database)
    theirs, ours = run_mapper(database, photos, tmp_path / "model"), read_model(collection)
    names = [image.name for image in collection.images]
    centers = [
        np.array([m.find_image_with_name(n).projection_center() for n in names]) for m in (theirs, ours)
    ]
    assert position_errors(*centers).max() < 0.005
    assert theirs.num_points3D() == pytest.approx(ours.num_points3D(), rel=0.02)


def write_database(text: Path, photos: Path, database: Path) -> None:
    """Import the text files as in COLMAP's tutorial, with one camera for all images."""
    pycolmap.Database.open(str(database)).close()
    pycolmap.import_images(str(database), str(photos), pycolmap.CameraMode.SINGLE)
    verified = read_match_text(text / "verified.txt")
    with pycolmap.Database.open(str(database)) as file:
        ids = {image.name: image.image_id for image in file.read_all_images()}
        for name, number in ids.items():
            file.write_keypoints(number, read_keypoints_text(text, name)[0])
        for (name0, name1), matches in verified.items():
            file.write_matches(ids[name0], ids[name1], np.array(matches, np.uint32).reshape(-1, 2))
    pairs = database.with_suffix(".txt")
    pairs.write_text("".join(f"{name0} {name1}\n" for name0, name1 in verified))
    pycolmap.verify_matches(str(database), str(pairs))


def position_errors(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Position errors after similarity alignment, relative to the extent of the true positions."""
    similarity = pycolmap.estimate_sim3d(found, true)
    moved = np.array([similarity * position for position in found])
    return np.linalg.norm(moved - true, axis=1) / np.linalg.norm(np.ptp(true, axis=0))


def test_surveyed_fountain(shared_data: Path, tmp_path: Path) -> None:
    """Strecha et al., On Benchmarking Camera Calibration and Multi-View Stereo, CVPR 2008: positions with mm accuracy."""
    scene = shared_data / "strecha" / "fountain-P11"
    match_collection(scene / "images", tmp_path / "out", resize=640, max_keypoints=1024, device="cpu")
    found = reconstruct(tmp_path / "out")
    assert (found.images, found.registered, found.models) == (11, 11, 1)
    model = read_model(open_collection(tmp_path / "out"))
    images = [model.image(number) for number in model.reg_image_ids()]
    positions = np.array([image.projection_center() for image in images])
    files = [scene / "gt_dense_cameras" / f"{image.name}.camera" for image in images]
    surveyed = np.array([file.read_text().splitlines()[7].split() for file in files], np.float64)
    assert position_errors(positions, surveyed).max() < 0.005


def test_html_view_shows_all_images(whole: tuple[Collection, Reconstruction]) -> None:
    collection, _ = whole
    result = CliRunner().invoke(app, ["collection", "view", str(collection.folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (collection.folder / "view.html").read_text(encoding="utf-8")
    assert "11 images registered" in page
    assert "no pose" not in page
