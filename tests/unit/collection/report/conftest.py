"""A reconstructed synthetic collection."""

import pytest
from tests.helpers.synthetic_collections import NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.reconstruction import reconstruct


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Scene]:
    collection, scene = make_collection(tmp_path_factory.mktemp("view"), NAMES)
    reconstruct(collection)
    return collection, scene
