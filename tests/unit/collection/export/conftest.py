"""A synthetic reconstruction whose images are files."""

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.synthetic_collections import NAMES, make_collection
from tests.helpers.synthetic_reconstruction import random_model

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.sparse_model import SparseModel, to_sparse_model


@pytest.fixture
def exact() -> Any:
    return random_model()


@pytest.fixture
def model(exact: Any, tmp_path: Path) -> SparseModel:
    """A synthetic reconstruction; its images are files."""
    paths = {
        exact.image(number).name: tmp_path / exact.image(number).name for number in exact.reg_image_ids()
    }
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    return to_sparse_model(exact, paths)


@pytest.fixture
def two_images(tmp_path: Path) -> Collection:
    return make_collection(tmp_path / "few", NAMES[:2], verify=False)[0]


@pytest.fixture
def use_model(model: SparseModel, monkeypatch: pytest.MonkeyPatch) -> SparseModel:
    for module in ("alicevision", "bundler", "metashape", "nerfstudio", "openmvg", "ply"):
        monkeypatch.setattr(f"tiepoint.collection.export.{module}.read_sparse_model", lambda _: model)
    return model
