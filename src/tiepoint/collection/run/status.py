"""Status of a collection: finished, missing and damaged records of each stage."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tiepoint.collection.pairs.pairs_file import pairs_are_current, read_selected_pairs
from tiepoint.collection.state import State, Stores, read_state, resume_hint, stores_location
from tiepoint.feature_store.keys import pair_key


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """Status of one stage.

    Attributes:
        name: Name of the stage: "extract", "match" or "verify".
        done: Number of images or selected pairs with a valid record.
        missing: Number of images or selected pairs without one.
        damaged: One message per damaged file; the file was quarantined and its records count as missing.
    """

    name: str
    done: int
    missing: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Status of a collection.

    Attributes:
        stages: Status of each stage of the last run.
        pairs_are_current: Whether `pairs.txt` is the selection of the last run; False if the run ended before the
            selection, or if images have gained or lost features since.
    """

    stages: tuple[StageStatus, ...]
    pairs_are_current: bool = True

    @property
    def damaged(self) -> tuple[str, ...]:
        """One message per damaged file."""
        return tuple(message for stage in self.stages for message in stage.damaged)

    @property
    def is_complete(self) -> bool:
        """Whether the pairs are selected, no record is missing and no file was damaged."""
        return self.pairs_are_current and not any(stage.missing or stage.damaged for stage in self.stages)


def read_status(out: str | os.PathLike[str]) -> Status:
    """Read and check every byte of the records of the last run; damaged files are quarantined.

    Args:
        out: Output folder of the run.

    Raises:
        InvalidInput: If the folder is not a collection.
        StoreError: If another format version of tiepoint wrote it, or it cannot be read.
    """
    folder = Path(out)
    state = read_state(folder)
    location = stores_location(folder, state.stores)
    stores = Stores.open(location, state.settings, hint=resume_hint(folder, state))
    stages = [_stage_status(stores, "extract", "features", (image.key for image in state.images))]
    stages.append(_stage_status(stores, "match", "matches", _pair_keys(folder, state)))
    if state.options["verify"]:
        stages.append(_stage_status(stores, "verify", "verified", _pair_keys(folder, state)))
    return Status(tuple(stages), _pairs_are_current(folder, state, stores))


def _stage_status(stores: Stores, name: str, kind: str, keys: Iterable[str]) -> StageStatus:
    store = stores.of(kind)
    damaged = tuple(store.quarantine_damaged(kind))
    is_done = store.done(kind).contains(keys)
    done = int(is_done.sum())
    return StageStatus(name=name, done=done, missing=len(is_done) - done, damaged=damaged)


def _pairs_are_current(folder: Path, state: State, stores: Stores) -> bool:
    """Return whether `pairs.txt` was selected by the last run among the images that have features now."""
    has_features = stores.features.done("features").contains(image.key for image in state.images)
    usable = (image for image, known in zip(state.images, has_features, strict=True) if known)
    return pairs_are_current(folder, state, usable)


def _pair_keys(folder: Path, state: State) -> Iterator[str]:
    """Yield the keys of the selected pairs whose images both still exist."""
    keys = {image.name: image.key for image in state.images}
    for name0, name1 in read_selected_pairs(folder):
        if name0 in keys and name1 in keys:
            yield pair_key((keys[name0], keys[name1]))
