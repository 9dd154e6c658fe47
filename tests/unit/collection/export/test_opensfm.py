"""OpenSfM's project: read by its rules, features and matches are the collection's, points hit their keypoints."""

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.sparse_models import MAX_ERROR_PX
from tests.helpers.synthetic_collections import NAMES, PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.opensfm import export_opensfm, project_names
from tiepoint.collection.export.output_paths import inlier_matches
from tiepoint.collection.export.sparse_model import read_sparse_model
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints

ALLOWED = ("_reconstruct", "scalar", "ndarray", "dtype")
"""What OpenSfM's reader of matches accepts, from NumPy only."""


class MatchReader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        assert module.startswith("numpy")
        assert name in ALLOWED
        return super().find_class(module, name)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    collection, _ = make_collection(tmp_path_factory.mktemp("opensfm"), PLAIN_NAMES[:4])
    assert reconstruct(collection).success
    return collection


@pytest.fixture(scope="module")
def project(collection: Collection) -> Path:
    return export_opensfm(collection)


def denormalize(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """OpenSfM's pixels: the center of the top-left one is (0, 0)."""
    return points * max(width, height) - 0.5 + np.array([width, height]) / 2


def test_features_are_those_of_the_collection(collection: Collection, project: Path) -> None:
    for image in collection.images:
        name = image.name.replace("/", "_")
        features = collection.features(image.name)
        exif = json.loads((project / "exif" / f"{name}.exif").read_text())
        with np.load(project / "features" / f"{name}.features.npz", allow_pickle=False) as found:
            assert found["OPENSFM_FEATURES_VERSION"] == 3
            pixels = denormalize(found["points"][:, :2], exif["width"], exif["height"])
            np.testing.assert_allclose(pixels + 0.5, colmap_keypoints(features), atol=1e-3)
            np.testing.assert_allclose(found["descriptors"], features.descriptors)
            assert found["colors"].shape == (len(features), 3)
            assert np.ptp(found["colors"], axis=0).max() <= 3  # images of one color
        assert (project / "images" / name).read_bytes() == image.path.read_bytes()


def test_matches_are_the_inliers(collection: Collection, project: Path) -> None:
    found = {}
    for image in collection.images:
        name = image.name.replace("/", "_")
        with gzip.open(project / "matches" / f"{name}_matches.pkl.gz") as file:
            found |= {(name, other): values for other, values in MatchReader(file).load().items()}
    expected = {
        tuple(name.replace("/", "_") for name in pair): inlier_matches(collection, *pair)
        for pair in collection.pairs()
    }
    assert found.keys() == expected.keys()
    assert all((found[pair] == expected[pair]).all() for pair in expected)


def test_opensfm_projects_points_to_their_keypoints(collection: Collection, project: Path) -> None:
    (content,) = json.loads((project / "reconstruction.json").read_text())
    models = json.loads((project / "camera_models.json").read_text())
    assert content["cameras"].items() <= models.items()
    header, *lines = (project / "tracks.csv").read_text().splitlines()
    assert header == "OPENSFM_TRACKS_VERSION_v2"
    model = read_model(collection)
    assert len(lines) == model.compute_num_observations() > 500
    assert len(content["points"]) == model.num_points3D()
    errors = []
    for line in lines:
        name, track, _, x, y, scale, *_, segmentation, instance = line.split("\t")
        assert (segmentation, instance) == ("-1", "-1")
        shot = content["shots"][name]
        camera = content["cameras"][shot["camera"]]
        assert camera["projection_type"] == "brown"
        X = rotate(shot["rotation"], content["points"][track]["coordinates"]) + shot["translation"]
        assert X[2] > 0
        bent = X[:2] / X[2] * (1 + camera["k1"] * (X[:2] ** 2).sum() / X[2] ** 2)
        projected = bent * (camera["focal_x"], camera["focal_y"]) + (camera["c_x"], camera["c_y"])
        errors.append(
            np.linalg.norm(projected - (float(x), float(y))) * max(camera["width"], camera["height"])
        )
        assert 0 < float(scale) < 0.1
    assert np.mean(errors) == pytest.approx(model.compute_mean_reprojection_error(), rel=0.05)
    assert np.median(errors) < 3 * MAX_ERROR_PX


def rotate(vector: list[float], point: list[float]) -> np.ndarray:
    """Rodrigues' formula."""
    angle = np.linalg.norm(vector)
    axis, X = np.array(vector) / angle, np.array(point)
    return X * np.cos(angle) + np.cross(axis, X) * np.sin(angle) + axis * (axis @ X) * (1 - np.cos(angle))


def test_collection_without_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:2])
    project = export_opensfm(collection, tmp_path / "project")
    assert not (project / "reconstruction.json").exists()
    (camera,) = json.loads((project / "camera_models.json").read_text()).values()
    assert camera["focal_x"] == camera["focal_y"] == pytest.approx(1.2)
    assert (camera["c_x"], camera["c_y"]) == (0, 0)


def test_names_that_become_one_are_refused() -> None:
    assert project_names(list(NAMES))["sub/d.jpg"] == "sub_d.jpg"
    with pytest.raises(InvalidInput, match=r"'a/b.jpg' and 'a_b.jpg'"):
        project_names(["a/b.jpg", "a_b.jpg"])


def test_model_of_other_features_is_refused(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_sparse_model(collection)
    object.__setattr__(model.images[1], "points2d", model.images[1].points2d[:-1])
    monkeypatch.setattr("tiepoint.collection.export.opensfm.read_sparse_model", lambda _: model)
    with pytest.raises(InvalidInput, match=r"'b.jpg' has other keypoints in the model"):
        export_opensfm(collection, tmp_path / "project")
    assert not [path for path in (tmp_path / "project").rglob("*") if path.is_file()]
