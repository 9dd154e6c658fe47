"""status: what of a collection is done, what is missing, and what is damaged."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tiepoint.collection.state import State, read_chosen_pairs, read_state, stores_of
from tiepoint.collection.stores import Stores
from tiepoint.keys import pair_key


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
    """How far a collection is."""

    stages: tuple[StageStatus, ...]

    @property
    def damaged(self) -> tuple[str, ...]:
        """A line for every damaged file."""
        return tuple(line for stage in self.stages for line in stage.damaged)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, and nothing was damaged."""
        return not any(stage.missing or stage.damaged for stage in self.stages)


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
    stores = Stores.open(stores_of(folder, state.stores), state.settings)
    stages = [_look(stores, "extract", "features", [photograph.key for photograph in state.photographs])]
    pairs = list(_pair_keys(folder, state))
    stages.append(_look(stores, "match", "matches", pairs))
    if state.options["verify"]:
        stages.append(_look(stores, "verify", "verified", pairs))
    return Status(tuple(stages))


def _look(stores: Stores, name: str, kind: str, keys: list[str]) -> StageStatus:
    store = stores.of(kind)
    damaged = tuple(store.damaged(kind))
    done = int(store.done(kind).holds(keys).sum())
    return StageStatus(name=name, done=done, missing=len(keys) - done, damaged=damaged)


def _pair_keys(folder: Path, state: State) -> Iterator[str]:
    """Keys of the chosen pairs of which there still are both photographs."""
    keys = {photograph.name: photograph.key for photograph in state.photographs}
    for name0, name1 in read_chosen_pairs(folder):
        if name0 in keys and name1 in keys:
            yield pair_key((keys[name0], keys[name1]))
