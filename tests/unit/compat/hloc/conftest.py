"""hloc's files of a synthetic collection: images of known points by known cameras."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.hloc import export_hloc


@dataclass(frozen=True)
class HlocFiles:
    """Files of the collection in hloc's layout, and the collection itself; do not write to them."""

    collection: Collection
    scene: Scene
    images: Path
    features: Path
    matches: Path
    pairs: Path


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> HlocFiles:
    collection, scene = make_collection(tmp_path_factory.mktemp("hloc"), PLAIN_NAMES)
    folder = export_hloc(collection)
    first = collection.images[0]
    return HlocFiles(
        collection=collection,
        scene=scene,
        images=first.path.parents[first.name.count("/")],
        features=folder / "features.h5",
        matches=folder / "matches.h5",
        pairs=folder / "pairs.txt",
    )
