"""What a training is fed: pairs to learn from, and photographs held out to validate on."""

import hashlib
from collections.abc import Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image.listing import find_images
from tiepoint.io.progress import Track
from tiepoint.training.data.colmap_images import CachedModel, TrackSettings, cache_model
from tiepoint.training.data.colmap_pairs import TrackPairs
from tiepoint.training.data.deduplication import copies_of, distinct, readable_contents
from tiepoint.training.data.homography_views import MIN_PHOTOGRAPHS, cache_views
from tiepoint.training.data.pairs import PairSource, ViewPairs
from tiepoint.training.distributed import Processes
from tiepoint.training.recipes import Recipe
from tiepoint.training.validation import VALIDATION, HeldOutPair, ValidationProtocol, held_out_pairs

HELD_OUT_SHARE = 0.05
HELD_OUT = (4, 100)
"""At least and at most so many photographs are held out where no folder of them is given."""

PROTOCOL = VALIDATION["homography-512"]


class Split(NamedTuple):
    """Photographs to learn from, and those that are held out: no content is on both sides, under whatever name."""

    learned: list[Path]
    held_out: list[Path]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where data lie.

    Attributes:
        photographs: a folder of them.
        cache: folder for features.
        val: a folder to validate on, which may be one inside `photographs`; None: a few of them are held out.
        colmap: a finished reconstruction of the photographs; None: pairs are views of one photograph.
        depth_maps: of the reconstruction.
    """

    photographs: Path
    cache: Path
    val: Path | None = None
    colmap: Path | None = None
    depth_maps: Path | None = None

    def __post_init__(self) -> None:
        if self.depth_maps is not None and self.colmap is None:
            raise InvalidInput("depth maps belong to a reconstruction; name its folder with --colmap")

    def split(self) -> Split:
        """Photographs to learn from, and those that are held out.

        Raises:
            InvalidInput: too few are left to learn from.
        """
        photographs = find_images(self.photographs)
        if self.val is None:
            return Split(*split(distinct(photographs)))
        held_out = find_images(self.val)
        both = set(copies_of(held_out, photographs))
        learned = [path for path in photographs if path not in both]
        return Split(learned, held_out, self._left_out(len(photographs) - len(learned), len(photographs)))

    def _left_out(self, count: int, of: int) -> tuple[str, ...]:
        """The problem that so many photographs are held out of those to learn from, where any are."""
        if not count:
            return ()
        found = f"{count} of {of} photographs in {self.photographs} are in {self.val} too"
        if of - count < MIN_PHOTOGRAPHS and self.colmap is None:
            raise InvalidInput(
                f"expected at least {MIN_PHOTOGRAPHS} photographs to learn from, but {found}; "
                "add more, or name others to validate on with --val"
            )
        return (f"{found}, and are not learned from",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Everything that comes from photographs.

    Attributes:
        source: of the pairs to learn from.
        held_out: pairs of other photographs.
        protocol: of the held-out pairs.
        problems: photographs that can't be used, one line each, and how many are held out of those to learn from.
    """

    source: PairSource
    held_out: Sequence[HeldOutPair]
    protocol: ValidationProtocol
    problems: tuple[str, ...]


def prepare_data(
    places: Places,
    recipe: Recipe,
    extractor: NeuralExtractor,
    processes: Processes,
    *,
    seed: int,
    track: Track,
) -> TrainingData:
    """Extract the features of everything that is learned from or held out, where they aren't cached yet.

    Args:
        places: of photographs and cache.
        recipe: says which views, and how many negatives.
        extractor: of the features.
        processes: each extracts a share, and all read all of it.
        seed: of the pairs.
        track: shows progress.

    Raises:
        InvalidInput: too few photographs, or a folder that can't be read or written.
        StoreError: the cache holds features of other settings.
        MissingDependency: h5py, or for a reconstruction pycolmap, isn't installed.
    """
    learned, held_out, left_out = places.split()
    pairs, unusable = processes.in_shares(
        lambda owns: held_out_pairs(
            held_out, extractor, places.cache / "val", PROTOCOL, at_least=0, owns=owns, track=track
        )
    )

    def posed_pairs() -> tuple[PairSource, tuple[str, ...]]:
        model = _model(places, held_out, recipe, extractor, track)
        return TrackPairs(model, seed=seed, negatives=recipe.negatives), model.problems

    def view_pairs() -> tuple[PairSource, tuple[str, ...]]:
        folder = places.cache / "train"
        views = processes.in_shares(
            lambda owns: cache_views(
                learned, extractor, folder, recipe.views, at_least=0, owns=owns, track=track
            )
        )
        _check_number(len(views), len(pairs), places, (*unusable, *views.problems))
        return ViewPairs(views, seed=seed, negatives=recipe.negatives), views.problems

    source, problems = view_pairs() if places.colmap is None else processes.lead_first(posed_pairs)
    return TrainingData(
        source=source, held_out=pairs, protocol=PROTOCOL, problems=left_out + problems + unusable
    )


def _check_number(learned: int, held_out: int, places: Places, problems: Sequence[str]) -> None:
    """Raise InvalidInput unless enough photographs can be used: of one folder those held out count too."""
    usable = learned + (held_out if places.val is None else 0)
    first = f", the first other one because {problems[0]}" if problems else ""
    if usable < MIN_PHOTOGRAPHS:
        raise InvalidInput(
            f"expected at least {MIN_PHOTOGRAPHS} different photographs, but only {usable} in {places.photographs} can be "
            f"used{first}; add more"
        )
    if not held_out:
        raise InvalidInput(
            f"expected photographs to validate on, but none that is held out can be used{first}; name others with --val"
        )


def split(photographs: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Photographs to learn from, and those to hold out: decided by their names, not by their order."""
    if len(photographs) < MIN_PHOTOGRAPHS:
        raise InvalidInput(
            f"expected at least {MIN_PHOTOGRAPHS} different photographs, but there are {len(photographs)}; add more"
        )
    least, most = HELD_OUT
    count = min(max(round(HELD_OUT_SHARE * len(photographs)), least), most)
    by_chance = sorted(photographs, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    chosen = set(by_chance[:count])
    return [p for p in photographs if p not in chosen], [p for p in photographs if p in chosen]


def without_contents(model: CachedModel, contents: AbstractSet[str]) -> CachedModel:
    """A model without the images of these contents, in digests."""
    kept = {key for key in model.neighbors if key.rpartition("@")[2] not in contents}
    neighbors = {key: others & kept for key, others in model.neighbors.items() if key in kept}
    pairs = tuple(pair for pair in model.pairs if kept.issuperset(pair))
    if not pairs:
        raise InvalidInput(
            "every pair of the reconstruction has a photograph that is held out; give others to validate on with --val"
        )
    return replace(model, pairs=pairs, neighbors=neighbors)


def _model(
    places: Places, held_out: Sequence[Path], recipe: Recipe, extractor: NeuralExtractor, track: Track
) -> CachedModel:
    """The reconstruction, without the photographs that are held out of it."""
    assert places.colmap is not None
    model = cache_model(
        places.colmap,
        places.photographs,
        extractor,
        places.cache / "colmap",
        TrackSettings(size=recipe.views.size, max_keypoints=recipe.views.max_keypoints),
        depth_maps=places.depth_maps,
        track=track,
    )
    return without_contents(model, readable_contents(held_out))
