"""Image pairs and features that the benchmarks share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

import tiepoint
from benchmarks.paths import DATA
from tiepoint.bench.images import image_files as bench_image_files
from tiepoint.matching.top_k import select_top_k
from tiepoint.types import Features

FOLDER = DATA / "lightglue_assets"
NAMES = {"easy": ("DSC_0410.JPG", "DSC_0411.JPG"), "hard": ("sacre_coeur1.jpg", "sacre_coeur2.jpg")}

Files = tuple[Path, Path]
Pair = tuple[Features, Features]


@contextmanager
def image_files() -> Iterator[dict[str, Files]]:
    """Yield the easy and the hard pair of LightGlue's repository, or scikit-image's stereo pair without them."""
    if FOLDER.is_dir():
        yield {name: (FOLDER / file0, FOLDER / file1) for name, (file0, file1) in NAMES.items()}
        return
    with bench_image_files(None, None) as (file0, file1):
        yield {"easy": (Path(file0), Path(file1))}


def extract_pairs(files: dict[str, Files], max_keypoints: int) -> dict[str, Pair]:
    """Extract the ALIKED features of each pair."""
    extractor = tiepoint.load("aliked+nearest", max_keypoints=max_keypoints)
    return {
        name: (extractor.extract(file0), extractor.extract(file1)) for name, (file0, file1) in files.items()
    }


def top_k(pair: Pair, count: int) -> Pair:
    """Return the `count` highest-scoring keypoints of both images."""
    features0, features1 = pair
    return select_top_k(features0, count)[0], select_top_k(features1, count)[0]


def random_pair(count: int, seed: int = 0) -> Pair:
    """Return random keypoints and descriptors, for measurements that depend only on their number."""
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
