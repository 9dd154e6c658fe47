"""extend_reconstruction: new images in an existing model."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.extension import extend_reconstruction
from tiepoint.collection.sfm.known_poses import poses_of
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput

NEW = PLAIN_NAMES[2]


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """A model without one image; the ids of the images differ from those of the whole collection."""
    collection, _ = make_collection(tmp_path_factory.mktemp("smaller"), leave_out=NEW)
    reconstruct(collection)
    return collection


@pytest.fixture
def grown(smaller: Collection, tmp_path: Path) -> tuple[Collection, Scene]:
    """The whole collection with the model of the smaller one."""
    collection, scene = make_collection(tmp_path)
    shutil.copytree(smaller.folder / "colmap", collection.folder / "colmap")
    return collection, scene


def test_new_images_are_registered_and_the_others_stay(grown: tuple[Collection, Scene]) -> None:
    collection, scene = grown
    model = read_model(collection)
    names = [name for name in PLAIN_NAMES if name != NEW]
    before = poses_of(model, names)
    found = extend_reconstruction(collection)
    assert (found.registered, found.unregistered, found.initialization) == (6, (), "existing model")
    assert found.points >= model.num_points3D()
    assert found.mean_reprojection_error_px < 0.3
    extended = read_model(collection)
    for name, pose in poses_of(extended, names).items():
        np.testing.assert_allclose(pose, before[name], atol=1e-9)
    centers = {name: extended.find_image_with_name(name).projection_center() for name in PLAIN_NAMES}
    ratio = np.linalg.norm(centers[NEW] - centers["a.jpg"]) / np.linalg.norm(
        centers["f.jpg"] - centers["a.jpg"]
    )
    true = {name: scene.center(name) for name in PLAIN_NAMES}
    expected = np.linalg.norm(true[NEW] - true["a.jpg"]) / np.linalg.norm(true["f.jpg"] - true["a.jpg"])
    assert ratio == pytest.approx(expected, rel=0.01)
    assert {path.name for path in (collection.folder / "colmap" / "sparse").iterdir()} == {"0"}
    again = extend_reconstruction(collection, keep_poses=False)
    assert again.registered == 6


def test_models_of_other_images_or_features_are_refused(
    grown: tuple[Collection, Scene], tmp_path: Path
) -> None:
    collection, _ = grown
    other, _ = make_collection(tmp_path / "other", PLAIN_NAMES[1:4])
    shutil.copytree(collection.folder / "colmap", other.folder / "colmap")
    with pytest.raises(InvalidInput, match=r"the model has the image 'a.jpg', which the collection has not"):
        extend_reconstruction(other)


def test_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no reconstruction"):
        extend_reconstruction(make_collection(tmp_path, PLAIN_NAMES[:1])[0])
