"""Pairs of photographs of which it is known whether they show the same place; fitting and testing share no scene.

Pairs that match are those of pairs.jsonl, and some of photographs that stand beside it without measured truth. Pairs
that don't are photographs of two scenes, drawn with a fixed seed. All count as they are: turned ones, several
motions at once, and pairs that nobody could match.
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

ONE_PLACE = {
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
"""Scenes of pairs.jsonl that show one place, or might: no pair across them counts as different."""

MORE = {
    "dsc": ("lightglue_assets", "DSC_04*.JPG"),
    "sacre_coeur": ("lightglue_assets", "sacre_coeur*.jpg"),
    "capitol": ("superglue_assets/phototourism_sample_images", "united_states_capitol*.jpg"),
    "st_pauls": ("superglue_assets/phototourism_sample_images", "st_pauls*.jpg"),
    "freiburg": ("superglue_assets/freiburg_sequence", "*.jpg"),
    "castle": ("sceaux_castle/images", "*.JPG"),
}
"""Places without a row in pairs.jsonl: folder and names of their photographs, in the order they were taken."""

LONGEST_GAP = 4
"""Photographs of `MORE` make a pair where they are at most so far apart."""

MOST_A_PLACE = 12
"""Pairs of one place that match, evenly spread: a place with sixty pairs would outvote all others."""

NO_TRUTH = PointsGroundTruth(points0=np.zeros((0, 2)), points1=np.zeros((0, 2)))
"""Of pairs that are only asked whether they match."""


@dataclass(frozen=True, kw_only=True)
class LabeledPair:
    """Two photographs, and whether they show the same place."""

    pair: EvaluationPair
    same: bool
    half: Half


def labeled_pairs(data: Path, different: int) -> list[LabeledPair]:
    """All pairs of both halves, with so many different ones in all; fewer where there aren't more."""
    places = places_of(data)
    halves: dict[Half, list[str]] = {"fit": sorted(places)[::2], "test": sorted(places)[1::2]}
    return [
        LabeledPair(pair=pair, same=same, half=half)
        for half, names in halves.items()
        for same, pairs in (
            (True, [pair for name in names for pair in spread(places[name], MOST_A_PLACE)]),
            (False, different_pairs({name: places[name] for name in names}, different // 2)),
        )
        for pair in pairs
    ]


def places_of(data: Path) -> dict[str, list[EvaluationPair]]:
    """Place -> its pairs that match."""
    merged = {scene: place for place, scenes in ONE_PLACE.items() for scene in scenes}
    known = sorted(read_dataset("pairs-jsonl", data).pairs, key=lambda pair: place_of(pair, merged))
    places = {place: list(pairs) for place, pairs in groupby(known, key=lambda pair: place_of(pair, merged))}
    return places | {
        place: list(neighbors(place, data / folder, names)) for place, (folder, names) in MORE.items()
    }


def place_of(pair: EvaluationPair, merged: dict[str, str]) -> str:
    """The place that a pair shows."""
    return merged.get(pair.scene, pair.scene)


def neighbors(place: str, folder: Path, names: str) -> Iterator[EvaluationPair]:
    """Pairs of photographs that were taken one soon after the other."""
    for (i, first), (j, second) in combinations(enumerate(sorted(folder.glob(names))), 2):
        if j - i <= LONGEST_GAP:
            yield pair_of(place, first, second)


def different_pairs(places: dict[str, list[EvaluationPair]], count: int) -> list[EvaluationPair]:
    """Photographs of two places, no two places twice."""
    chance = random.Random(0)
    chosen = chance.sample(list(combinations(places, 2)), min(count, len(places) * (len(places) - 1) // 2))
    return [
        pair_of(f"{first} and {second}", *(chance.choice(images(places[name])) for name in (first, second)))
        for first, second in chosen
    ]


def images(pairs: Sequence[EvaluationPair]) -> list[Path]:
    """Photographs of a place that are upright as they are."""
    upright = (pair for pair in pairs if not pair.quarter_turns0 and not pair.quarter_turns1)
    return list(dict.fromkeys(image for pair in upright for image in (pair.image0, pair.image1)))


def pair_of(scene: str, image0: Path, image1: Path) -> EvaluationPair:
    """A pair of which no more is known than whether it matches."""
    return EvaluationPair(
        name=f"{scene}/{image0.stem}-{image1.stem}", scene=scene, image0=image0, image1=image1, truth=NO_TRUTH
    )


def spread(pairs: Sequence[EvaluationPair], most: int) -> list[EvaluationPair]:
    """At most so many, at equal distances."""
    if len(pairs) <= most:
        return list(pairs)
    return [pairs[round(place)] for place in np.linspace(0, len(pairs) - 1, most)]
