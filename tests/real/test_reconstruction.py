"""A castle in eleven photographs: COLMAP's model of our matches, a photograph that the model doesn't have, a page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pycolmap
import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.colmap import colmap_keypoints
from tiepoint.collection.exports import export_as
from tiepoint.collection.reconstruction import Reconstruction, read_model, reconstruct
from tiepoint.collection.state import stores_of, write_chosen_pairs, write_state

pytestmark = [pytest.mark.real, pytest.mark.weights]

FOCAL_PX = 2905.88
"""Of K.txt, which comes with the photographs."""

QUERY = "100_7105.JPG"


def copied(castle: Collection, out: Path, *, without: str = "") -> Collection:
    """The castle's features and matches under another output folder, which may be written to."""
    out.mkdir()
    kept = tuple(photograph for photograph in castle.photographs if photograph.name != without)
    stores = stores_of(castle.folder, castle.state.stores)
    write_state(out, replace(castle.state, photographs=kept, stores=stores))
    write_chosen_pairs(out, [pair for pair in castle.pairs() if without not in pair], "without one")
    return open_collection(out)


@pytest.fixture(scope="module")
def whole(castle: Collection, tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Reconstruction]:
    collection = copied(castle, tmp_path_factory.mktemp("whole") / "out")
    return collection, reconstruct(collection)


def test_all_photographs_register(whole: tuple[Collection, Reconstruction]) -> None:
    collection, found = whole
    assert (found.images, found.registered, found.models) == (11, 11, 1)
    assert found.points > 500
    assert found.mean_track_length > 4
    assert found.mean_reprojection_error_px < 1.5
    (camera,) = read_model(collection).cameras.values()
    assert camera.focal_length == pytest.approx(FOCAL_PX, rel=0.05)


def test_a_photograph_that_the_model_doesnt_have_is_found(
    castle: Collection, whole: tuple[Collection, Reconstruction], tmp_path: Path
) -> None:
    collection = copied(castle, tmp_path / "less", without=QUERY)
    reconstruct(collection)
    query = next(photograph.path for photograph in castle.photographs if photograph.name == QUERY)
    picture, numbers = tmp_path / "where.jpg", tmp_path / "pose.json"
    command = ["localize", query, collection.folder, "-o", picture, "--json", numbers, "--photographs", "5"]
    result = CliRunner().invoke(app, [str(word) for word in command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    pose = json.loads(numbers.read_text())
    assert pose["num_inliers"] > 100
    assert pose["focal_source"] == "model"
    less, full = read_model(collection), read_model(whole[0])
    names = [photograph.name for photograph in collection.photographs]
    both = [np.array([m.find_image_with_name(n).projection_center() for n in names]) for m in (less, full)]
    moved = pycolmap.estimate_sim3d(*both) * np.array(pose["position"])
    error = np.linalg.norm(moved - full.find_image_with_name(QUERY).projection_center())
    assert error < 0.01 * np.linalg.norm(np.ptp(both[1], axis=0))
    with PIL.Image.open(picture) as drawn:
        assert drawn.width == 2048


def test_another_place_has_no_pose(whole: tuple[Collection, Reconstruction], shared_data: Path) -> None:
    elsewhere = shared_data / "lightglue_assets" / "DSC_0410.JPG"
    result = CliRunner().invoke(app, ["localize", str(elsewhere), str(whole[0].folder)])
    assert result.exit_code == 1
    assert "there is no pose" in str(result.exception)


def test_the_text_holds_the_keypoints_of_the_database(whole: tuple[Collection, Reconstruction]) -> None:
    collection, _ = whole
    folder = export_as(collection, "colmap-text")
    for photograph in collection.photographs:
        rows = np.loadtxt(folder / "features" / f"{photograph.name}.txt", skiprows=1, usecols=(0, 1))
        expected = colmap_keypoints(collection.features(photograph.name))
        np.testing.assert_array_equal(rows.astype(np.float32), expected)


def test_the_page_shows_all_photographs(whole: tuple[Collection, Reconstruction]) -> None:
    collection, _ = whole
    result = CliRunner().invoke(app, ["collection", "view", str(collection.folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (collection.folder / "view.html").read_text(encoding="utf-8")
    assert "11 photographs registered" in page
    assert "no pose" not in page
