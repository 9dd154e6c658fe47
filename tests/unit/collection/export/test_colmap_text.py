"""COLMAP's text files: read back, and imported by COLMAP."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from tests.helpers.colmap_text import read_keypoints_text, read_match_text, run_mapper
from tests.helpers.synthetic_collections import (
    NAMES,
    make_collection,
)

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.colmap_database import export_colmap
from tiepoint.collection.export.colmap_text import export_colmap_text
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import (
    colmap_keypoints,
)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("plain"))[0]


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("odd"), NAMES)[0]


@pytest.mark.slow
def test_text_file_content(collection: Collection) -> None:
    folder = export_colmap_text(collection)
    for image in collection.images:
        keypoints, columns = read_keypoints_text(folder, image.name)
        assert columns == 128
        np.testing.assert_array_equal(keypoints, colmap_keypoints(collection.features(image.name)))
    matches, verified = (read_match_text(folder / name) for name in ("matches.txt", "verified.txt"))
    assert list(matches) == list(verified) == list(collection.pairs())
    for pair in collection.pairs():
        assert matches[pair] == collection.matches(*pair)[0].tolist()
        assert verified[pair] == collection.matches(*pair)[0][collection.geometry(*pair).inliers].tolist()


@pytest.mark.slow
def test_text_files_give_the_same_model_as_the_database(collection: Collection, tmp_path: Path) -> None:
    """COLMAP creates images and cameras itself, imports keypoints and matches, and verifies them."""
    ours = export_colmap(collection, cameras="each")
    folder, theirs = export_colmap_text(collection), tmp_path / "text.db"
    photos = collection.folder.parent / "photos"
    pycolmap.Database.open(str(theirs)).close()
    pycolmap.import_images(str(theirs), str(photos), pycolmap.CameraMode.PER_IMAGE)
    with pycolmap.Database.open(str(theirs)) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
        for name, number in ids.items():
            database.write_keypoints(number, read_keypoints_text(folder, name)[0])
        for (name0, name1), matches in read_match_text(folder / "verified.txt").items():
            database.write_matches(ids[name0], ids[name1], np.array(matches, np.uint32))
    (tmp_path / "pairs.txt").write_text("".join(f"{name0} {name1}\n" for name0, name1 in collection.pairs()))
    pycolmap.verify_matches(str(theirs), str(tmp_path / "pairs.txt"))
    models = [run_mapper(database, photos, tmp_path / database.stem) for database in (ours, theirs)]
    for name in ids:
        assert all(model.find_image_with_name(name).has_pose for model in models)
    centers = [np.array([m.find_image_with_name(n).projection_center() for n in ids]) for m in models]
    similarity = pycolmap.estimate_sim3d(*centers)
    moved = np.array([similarity * center for center in centers[0]])
    extent = np.linalg.norm(np.ptp(centers[1], axis=0))
    assert np.linalg.norm(moved - centers[1], axis=1).max() < 0.005 * extent
    assert models[0].num_points3D() == pytest.approx(models[1].num_points3D(), abs=5)


@pytest.mark.slow
def test_names_with_spaces_are_refused(odd_names: Collection) -> None:
    with pytest.raises(InvalidInput, match=r"spaces.*'b b.jpg'"):
        export_colmap_text(odd_names)
