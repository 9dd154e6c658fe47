"""Features of hloc, COLMAP and NPZ files, written by those programs or in their layout."""

import sqlite3
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pycolmap
import pytest

from tiepoint import Features, InvalidInput, read_features
from tiepoint.feature_store.other_formats import list_images

SIZE = (64, 48)


@pytest.fixture
def features() -> Features:
    random = np.random.default_rng(0)
    return Features.from_arrays(
        random.uniform(1, 40, (20, 2)),
        np.abs(random.normal(size=(20, 128))),
        SIZE,
        scores=random.uniform(size=20),
        scales=random.uniform(1, 5, 20),
        orientations=random.uniform(-3, 3, 20),
        covariances=random.uniform(1, 2, (20, 2, 2)),
        normalize="l2",
    )


def same(found: Features, expected: Features, atol: float = 1e-6) -> None:
    assert found.image_size == expected.image_size
    np.testing.assert_allclose(found.keypoints, expected.keypoints, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.descriptors, expected.descriptors, rtol=0, atol=atol)


@pytest.fixture
def hloc_file(tmp_path: Path, features: Features) -> Path:
    with h5py.File(tmp_path / "features.h5", "w") as file:
        for name in ("a.jpg", "set/b.jpg"):
            group = file.create_group(name)
            for key, value in features.to_hloc().items():
                group[key] = value
    return tmp_path / "features.h5"


def test_hloc(hloc_file: Path, features: Features):
    found = read_features(hloc_file, "set/b.jpg", kind="mine")
    same(found, features)
    assert (found.kind, found.source) == ("mine", "set/b.jpg")
    np.testing.assert_allclose(found.scores, features.scores)
    assert list_images(hloc_file) == ["a.jpg", "set/b.jpg"]
    with pytest.raises(InvalidInput, match=r"no image 'a\.png'; did you mean 'a\.jpg'"):
        read_features(hloc_file, "a.png")


@pytest.mark.parametrize("columns", [2, 4, 6])
def test_a_database_of_colmap(tmp_path: Path, features: Features, columns: int):
    path = tmp_path / "database.db"
    keypoints = features.to_colmap()
    assert features.scales is not None
    assert features.orientations is not None
    if columns == 6:
        cosines, sines = features.orientations.cos().numpy(), features.orientations.sin().numpy()
        frame = np.stack([cosines, -sines, sines, cosines], axis=1) * features.scales.numpy()[:, None]
        keypoints = np.concatenate([keypoints[:, :2], frame], axis=1).astype(np.float32)
    with pycolmap.Database.open(path) as database:
        camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_PINHOLE", 50.0, *SIZE)
        image = pycolmap.Image(name="a.jpg", camera_id=database.write_camera(camera))
        image_id = database.write_image(image)
        database.write_keypoints(image_id, np.ascontiguousarray(keypoints[:, :columns]))
        descriptors = np.clip(np.round(features.descriptors.numpy() * 512), 0, 255).astype(np.uint8)
        database.write_descriptors(
            image_id, pycolmap.FeatureDescriptors(type=pycolmap.FeatureExtractorType.SIFT, data=descriptors)
        )
    found = read_features(path, "a.jpg")
    same(found, features, atol=0.01)
    if columns == 2:
        assert found.scales is None
        return
    np.testing.assert_allclose(found.scales, features.scales, rtol=1e-5)
    np.testing.assert_allclose(found.orientations, features.orientations, rtol=0, atol=1e-5)
    with pytest.raises(InvalidInput, match=r"no image 'b\.jpg'"):
        read_features(path, "b.jpg")


def test_npz(tmp_path: Path, features: Features):
    arrays = {
        name: np.asarray(getattr(features, name))
        for name in ("keypoints", "descriptors", "image_size", "scales", "covariances")
    }
    np.savez(tmp_path / "a.jpg.npz", **arrays)
    for found in (read_features(tmp_path / "a.jpg.npz"), read_features(tmp_path, "a.jpg")):
        same(found, features)
        assert found.orientations is None
        np.testing.assert_array_equal(found.covariances, features.covariances)
    assert list_images(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("content", [{"keypoints": np.zeros((3, 2))}, {}])
def test_an_npz_without_descriptors(tmp_path: Path, content: dict[str, np.ndarray]):
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(InvalidInput, match="descriptors, image_size"):
        read_features(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["features.h5", "database.db", "a.npz"])
def test_damaged_files(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"nothing of this kind" * 50)
    with pytest.raises(InvalidInput, match="cannot read features"):
        read_features(tmp_path / name, "a.jpg")


@pytest.mark.parametrize("name", ["features.txt", "missing.npz"])
def test_other_paths(tmp_path: Path, name: str):
    with pytest.raises(InvalidInput):
        read_features(tmp_path / name, "a.jpg")


def test_an_empty_folder(tmp_path: Path):
    with pytest.raises(InvalidInput, match="contains no features"):
        list_images(tmp_path)


def test_damaged_archives(tmp_path: Path, features: Features):
    """Truncated archives, empty files and single arrays are errors of several kinds in NumPy."""
    np.savez_compressed(tmp_path / "whole.npz", keypoints=np.zeros((3, 2)), descriptors=np.zeros((3, 8)))
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "b.npz").write_bytes(b"")
    with (tmp_path / "c.npz").open("wb") as file:
        np.save(file, np.zeros((3, 2)))
    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(InvalidInput, match="cannot read features"):
            read_features(tmp_path / name)


def test_an_image_of_colmap_without_features(tmp_path: Path):
    """COLMAP stores NULL for no rows."""
    path = tmp_path / "database.db"
    with pycolmap.Database.open(path) as database:
        camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_PINHOLE", 50.0, *SIZE)
        database.write_image(pycolmap.Image(name="a.jpg", camera_id=database.write_camera(camera)))
    with closing(sqlite3.connect(path)) as database, database:
        for table, columns in (("keypoints", 4), ("descriptors", 128)):
            names = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
            row = dict.fromkeys(names, 0) | {"image_id": 1, "cols": columns, "data": None}
            values = [row[name] for name in names]
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", values)
    found = read_features(path, "a.jpg")
    assert (len(found), found.descriptors.shape, found.image_size) == (0, (0, 128), SIZE)
