"""Photographs and features that the benchmarks share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

import tiepoint
from tiepoint.bench.images import image_files
from tiepoint.types import Features

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "lightglue_assets"
NAMES = {"easy": ("DSC_0410.JPG", "DSC_0411.JPG"), "hard": ("sacre_coeur1.jpg", "sacre_coeur2.jpg")}

Files = tuple[Path, Path]
Pair = tuple[Features, Features]


@contextmanager
def photographs() -> Iterator[dict[str, Files]]:
    """The pairs that every LightGlue speaks of; where they aren't, scikit-image's stereo pair."""
    if FOLDER.is_dir():
        yield {name: (FOLDER / file0, FOLDER / file1) for name, (file0, file1) in NAMES.items()}
        return
    with image_files(None, None) as (file0, file1):
        yield {"easy": (Path(file0), Path(file1))}


def features_of(files: dict[str, Files], most: int) -> dict[str, Pair]:
    """ALIKED's strongest keypoints of each pair."""
    extractor = tiepoint.load("aliked+nearest", max_keypoints=most)
    return {
        name: (extractor.extract(file0), extractor.extract(file1)) for name, (file0, file1) in files.items()
    }


def strongest(pair: Pair, count: int) -> Pair:
    """The first `count` keypoints of both images; they are sorted."""
    first0, first1 = (
        replace(f, keypoints=f.keypoints[:count], scores=f.scores[:count], descriptors=f.descriptors[:count])
        for f in pair
    )
    return first0, first1


def random_pair(count: int, seed: int = 0) -> Pair:
    """Keypoints and descriptors without meaning, for what depends on their number only."""
    generator = torch.Generator().manual_seed(seed)

    def features() -> Features:
        directions = torch.randn(count, 128, generator=generator)
        return Features(
            keypoints=torch.rand(count, 2, generator=generator) * 1000,
            scores=torch.ones(count),
            descriptors=torch.nn.functional.normalize(directions),
            image_size=(1024, 1024),
        )

    return features(), features()
