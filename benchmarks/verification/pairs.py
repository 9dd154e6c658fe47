"""Image pairs labeled by whether they show the same scene; fitting and testing share no scene.

Positive pairs are those of pairs.jsonl, and pairs of neighboring images of folders without measured ground truth. Negative
pairs are images of two scenes, drawn with a fixed seed. No pair is excluded: rotated images, several motions, and pairs that
no method could match are included.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Literal

import numpy as np

from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import EvaluationPair, PointsGroundTruth

Half = Literal["fit", "test"]

SAME_SCENE = {
    "temple": ("temple", "temple1", "temple2"),
    "dino": ("dino1", "dino2"),
    "graf": ("graf", "graff"),
    "campus": (
        "barrsmith",
        "elderhalla",
        "elderhallb",
        "hartley",
        "ladysymon",
        "library",
        "neem",
        "nese",
        "physics",
        "sene",
    ),
}
"""Scenes of pairs.jsonl that are, or might be, the same scene: no pair across them is a negative."""

OTHER_FOLDERS = {
    "dsc": ("lightglue_assets", "DSC_04*.JPG"),
    "sacre_coeur": ("lightglue_assets", "sacre_coeur*.jpg"),
    "capitol": ("superglue_assets/phototourism_sample_images", "united_states_capitol*.jpg"),
    "st_pauls": ("superglue_assets/phototourism_sample_images", "st_pauls*.jpg"),
    "freiburg": ("superglue_assets/freiburg_sequence", "*.jpg"),
    "castle": ("sceaux_castle/images", "*.JPG"),
}
"""Scenes without a row in pairs.jsonl: folder and file pattern of their images, in the order they were taken."""

MAX_GAP = 4
"""Maximum distance of the images of a pair of `OTHER_FOLDERS`, in the order they were taken."""

MAX_PAIRS_PER_SCENE = 12
"""Maximum number of positive pairs per scene, evenly spaced, so that no scene dominates."""

NO_GROUND_TRUTH = PointsGroundTruth(points0=np.zeros((0, 2)), points1=np.zeros((0, 2)))
"""Ground truth of pairs for which only the label is known."""


@dataclass(frozen=True, kw_only=True)
class LabeledPair:
    """An image pair, and whether it shows the same scene."""

    pair: EvaluationPair
    same: bool
    half: Half


def labeled_pairs(data: Path, num_negatives: int) -> list[LabeledPair]:
    """Return all pairs of both halves, with at most `num_negatives` negatives in total."""
    scenes = positive_pairs(data)
    halves: dict[Half, list[str]] = {"fit": sorted(scenes)[::2], "test": sorted(scenes)[1::2]}
    return [
        LabeledPair(pair=pair, same=same, half=half)
        for half, names in halves.items()
        for same, pairs in (
            (True, [pair for name in names for pair in spaced(scenes[name], MAX_PAIRS_PER_SCENE)]),
            (False, negative_pairs({name: scenes[name] for name in names}, num_negatives // 2)),
        )
        for pair in pairs
    ]


def positive_pairs(data: Path) -> dict[str, list[EvaluationPair]]:
    """Return scene -> its positive pairs."""
    merged = {scene: name for name, scenes in SAME_SCENE.items() for scene in scenes}
    known = sorted(read_dataset("pairs-jsonl", data).pairs, key=lambda pair: scene_of(pair, merged))
    scenes = {scene: list(pairs) for scene, pairs in groupby(known, key=lambda pair: scene_of(pair, merged))}
    return scenes | {
        scene: list(neighboring_pairs(scene, data / folder, pattern))
        for scene, (folder, pattern) in OTHER_FOLDERS.items()
    }


def scene_of(pair: EvaluationPair, merged: dict[str, str]) -> str:
    """Return the scene of a pair, with scenes of the same name merged."""
    return merged.get(pair.scene, pair.scene)


def neighboring_pairs(scene: str, folder: Path, pattern: str) -> Iterator[EvaluationPair]:
    """Yield pairs of images that were taken shortly after one another."""
    for (i, first), (j, second) in combinations(enumerate(sorted(folder.glob(pattern))), 2):
        if j - i <= MAX_GAP:
            yield unlabeled_pair(scene, first, second)


def negative_pairs(scenes: dict[str, list[EvaluationPair]], count: int) -> list[EvaluationPair]:
    """Return pairs of images of two scenes; no two scenes are combined twice."""
    generator = random.Random(0)
    combined = list(combinations(scenes, 2))
    chosen = generator.sample(combined, min(count, len(combined)))
    return [
        unlabeled_pair(
            f"{first} and {second}",
            *(generator.choice(upright_images(scenes[name])) for name in (first, second)),
        )
        for first, second in chosen
    ]


def upright_images(pairs: Sequence[EvaluationPair]) -> list[Path]:
    """Return the images of a scene that are upright."""
    upright = (pair for pair in pairs if not pair.num_rotations0 and not pair.num_rotations1)
    return list(dict.fromkeys(image for pair in upright for image in (pair.image0, pair.image1)))


def unlabeled_pair(scene: str, image0: Path, image1: Path) -> EvaluationPair:
    """Return a pair without ground truth."""
    return EvaluationPair(
        name=f"{scene}/{image0.stem}-{image1.stem}",
        scene=scene,
        image0=image0,
        image1=image1,
        truth=NO_GROUND_TRUTH,
    )


def spaced(pairs: Sequence[EvaluationPair], max_count: int) -> list[EvaluationPair]:
    """Return at most `max_count` pairs, evenly spaced."""
    if len(pairs) <= max_count:
        return list(pairs)
    return [pairs[round(index)] for index in np.linspace(0, len(pairs) - 1, max_count)]
