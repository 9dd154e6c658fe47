"""Fixtures of the COLMAP tests: the ground truth of every pair is known."""

from pathlib import Path

import pytest
from tests.helpers.noise_images import identity_extractor
from tests.helpers.synthetic_reconstruction import SETTINGS, SIDEWAYS, random_model, write_dots

from tiepoint.geometry.colmap import quiet_pycolmap
from tiepoint.training.data.colmap_images import (
    CachedReconstruction,
    cache_reconstruction,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `model` and `photos`; each image lacks the dots of some points."""
    folder = tmp_path_factory.mktemp("scene")
    model = random_model()
    (folder / "model").mkdir()
    (folder / "photos").mkdir()
    with quiet_pycolmap():
        model.write(folder / "model")
    for index, number in enumerate(sorted(model.images)):
        image = model.images[number]
        hidden = {point for point in model.points3D if point % 5 == index}
        write_dots(folder / "photos" / image.name, image, hidden, SIDEWAYS if index == 0 else 1)
    return folder


@pytest.fixture(scope="module")
def cached(scene: Path) -> CachedReconstruction:
    return cache_reconstruction(
        scene / "model", scene / "photos", identity_extractor(), scene / "store", SETTINGS
    )
