"""Sparse models: what other programs' files are written from; PLY, read by plyfile."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.formats import MODEL_EXPORTS, export_as
from tiepoint.collection.export.ply import export_ply
from tiepoint.collection.export.sparse_model import SparseModel, to_sparse_model
from tiepoint.errors import InvalidInput


def test_the_model_is_that_of_pycolmap(exact: Any, model: SparseModel) -> None:
    assert [image.name for image in model.images] == sorted(image.name for image in exact.images.values())
    assert sum(map(len, model.tracks)) == exact.compute_num_observations()
    assert len(model.points) == exact.num_points3D()
    center = exact.find_image_with_name(model.images[0].name).projection_center()
    np.testing.assert_allclose(model.images[0].world_from_cam[:, 3], center, atol=1e-9)


def test_ply_is_read_by_plyfile(use_model: SparseModel, two_images: Collection, tmp_path: Path) -> None:
    from plyfile import PlyData

    vertices = PlyData.read(export_ply(two_images, tmp_path / "points.ply"))["vertex"]
    found = np.stack([vertices[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(found, use_model.points, rtol=1e-6, atol=1e-6)
    colors = np.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    np.testing.assert_array_equal(colors, use_model.colors)


def test_a_model_of_other_images(exact: Any) -> None:
    with pytest.raises(InvalidInput, match="images that are not in the collection"):
        to_sparse_model(exact, {})


@pytest.mark.parametrize("form", MODEL_EXPORTS)
def test_a_collection_without_a_reconstruction(form: str, two_images: Collection) -> None:
    with pytest.raises(InvalidInput, match="has no reconstruction; run: tiepoint collection run"):
        export_as(two_images, form)


def test_unknown_camera_models_are_named(exact: Any, tmp_path: Path) -> None:
    import pycolmap

    fisheye = pycolmap.Camera.create_from_model_name(1, "OPENCV_FISHEYE", 700.0, 640, 480)
    exact.camera(1).model = fisheye.model
    exact.camera(1).params = fisheye.params
    paths = {image.name: tmp_path for image in exact.images.values()}
    with pytest.raises(InvalidInput, match="camera model OPENCV_FISHEYE cannot be exported"):
        to_sparse_model(exact, paths)
