"""status: what of a collection is done, what is missing, and what is damaged."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tiepoint.collection.state import (
    State,
    read_selected_pairs,
    read_state,
    resume_hint,
    stores_location,
    pairs_are_current,
)
from tiepoint.collection.stores import Stores
from tiepoint.feature_store.keys import pair_key


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How far one stage is.

    Attributes:
        name: "extract", "match" or "verify".
        done: photographs, or chosen pairs, that have a sound record.
        missing: those that have none.
        damaged: a line for every file that was damaged; it was set aside, and what it held is missing.
    """

    name: str
    done: int
    missing: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How far a collection is.

    Attributes:
        stages: those of the last run.
        pairs_chosen: whether the pairs that the stages count are those that the last run asked for; False where it ended
            before it chose them, or photographs have got or lost their features since.
    """

    stages: tuple[StageStatus, ...]
    pairs_chosen: bool = True

    @property
    def damaged(self) -> tuple[str, ...]:
        """A line for every damaged file."""
        return tuple(line for stage in self.stages for line in stage.damaged)

    @property
    def complete(self) -> bool:
        """Whether the pairs are chosen, nothing is missing, and nothing was damaged."""
        return self.pairs_chosen and not any(stage.missing or stage.damaged for stage in self.stages)


def read_status(out: str | os.PathLike[str]) -> Status:
    """Read every byte of what the last run asked for.

    Args:
        out: its output folder.

    Raises:
        InvalidInput: no run has written there.
        StoreError: another version of tiepoint made it, or it can't be read.
    """
    folder = Path(out)
    state = read_state(folder)
    stores = Stores.open(
        stores_location(folder, state.stores), state.settings, remedy=resume_hint(folder, state)
    )
    stages = [_look(stores, "extract", "features", (photograph.key for photograph in state.photographs))]
    stages.append(_look(stores, "match", "matches", _pair_keys(folder, state)))
    if state.options["verify"]:
        stages.append(_look(stores, "verify", "verified", _pair_keys(folder, state)))
    return Status(tuple(stages), _pairs_chosen(folder, state, stores))


def _look(stores: Stores, name: str, kind: str, keys: Iterable[str]) -> StageStatus:
    store = stores.of(kind)
    damaged = tuple(store.damaged(kind))
    there = store.done(kind).holds(keys)
    done = int(there.sum())
    return StageStatus(name=name, done=done, missing=len(there) - done, damaged=damaged)


def _pairs_chosen(folder: Path, state: State, stores: Stores) -> bool:
    """Whether the pairs that are written down were chosen by this run, of what has features now."""
    there = stores.features.done("features").holds(photograph.key for photograph in state.photographs)
    usable = (photograph for photograph, found in zip(state.photographs, there, strict=True) if found)
    return pairs_are_current(folder, state, usable)


def _pair_keys(folder: Path, state: State) -> Iterator[str]:
    """Keys of the chosen pairs of which there still are both photographs."""
    keys = {photograph.name: photograph.key for photograph in state.photographs}
    for name0, name1 in read_selected_pairs(folder):
        if name0 in keys and name1 in keys:
            yield pair_key((keys[name0], keys[name1]))
