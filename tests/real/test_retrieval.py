"""Image retrieval on real images finds images of the same scene."""

from pathlib import Path

import pytest

import tiepoint
from tiepoint.collection.images import read_image_record
from tiepoint.collection.pairs.selection import PairSelection, select_pairs
from tiepoint.image.listing import find_images

pytestmark = [pytest.mark.real, pytest.mark.weights]

SCENES = {"door": "lund_door12/images", "castle": "sceaux_castle/images", "wall": "oxford_affine/graf"}


def test_most_pairs_show_the_same_scene(shared_data: Path):
    images = {
        name: read_image_record(path, name)
        for scene, folder in SCENES.items()
        for path in find_images(shared_data / folder)
        for name in [f"{scene}/{path.name}"]
    }
    matcher = tiepoint.load(device="cpu", resize=320, max_keypoints=256)
    features = {name: matcher.extract(image.path) for name, image in images.items()}
    pairs = select_pairs(
        PairSelection("retrieval", "4"), list(images.values()), read_features=features.__getitem__
    )
    scenes = [tuple(name.partition("/")[0] for name in pair) for pair in pairs]
    assert len(pairs) < 0.3 * len(images) * (len(images) - 1) / 2
    assert sum(scene0 == scene1 for scene0, scene1 in scenes) > 0.9 * len(scenes)
