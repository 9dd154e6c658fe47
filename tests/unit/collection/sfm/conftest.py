"""Fixtures of the localization tests."""

from pathlib import Path

import pytest
from tests.helpers.localization_scenes import QUERY, Reconstructed
from tests.helpers.synthetic_collections import make_collection, write_image

from tiepoint.collection.sfm.reconstruction import reconstruct


@pytest.fixture(scope="package")
def reconstructed(tmp_path_factory: pytest.TempPathFactory) -> Reconstructed:
    """A collection without the query image and its model; do not write to it."""
    collection, scene = make_collection(tmp_path_factory.mktemp("reconstructed"), leave_out=QUERY)
    reconstruct(collection)
    return collection, scene


@pytest.fixture
def query(tmp_path: Path) -> str:
    """Path of a query image; its features come from a `FixedFeaturesMatcher`."""
    write_image(tmp_path / "query.jpg")
    return str(tmp_path / "query.jpg")
