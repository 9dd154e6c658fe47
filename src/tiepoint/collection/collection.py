"""Collection: what is known of a folder of photographs, as a run left it in its output folder.

OUT/collection.json   the photographs of the last run, and its options
OUT/pairs.txt         the pairs that it chose
OUT/stores/           features, matches and geometry, each in a store of its settings
OUT/report.json       what it did, and how long it took; report.html shows the same; neither is there before it ends
"""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32, Int32

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.state import State, read_selected_pairs, read_state, resume_hint, stores_location
from tiepoint.collection.stores import Stores, estimate_from_record
from tiepoint.errors import InvalidInput
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record
from tiepoint.types import Features, TwoViewEstimate

logger = logging.getLogger(__name__)

WarningCallback: TypeAlias = Callable[[str], object]
"""Is told, in a line, what is left out."""


def log_warning(line: str) -> None:
    """Tell the log."""
    logger.warning("%s", line)


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """An output folder of `match_collection`, opened for reading.

    Attributes:
        folder: the output folder.
        state: what the last run wrote down of itself.
        tell: is told what is missing, when something is written of the collection: see `tiepoint.collection.run.completeness`.
    """

    folder: Path
    state: State
    tell: WarningCallback = log_warning

    @property
    def photographs(self) -> tuple[ImageRecord, ...]:
        """Those that have features, in the order in which people count: "2.jpg" before "10.jpg"."""
        return tuple(photograph for photograph in self.state.photographs if self._has_features(photograph))

    @property
    def settings(self) -> dict[str, Any]:
        """The options of the last run, and under "features", "matches" and "verified" what decides those records."""
        return {**self.state.options, **self.state.settings}

    def features(self, name: str) -> Features:
        """The features of a photograph, on the CPU.

        Args:
            name: of the photograph, as in `photographs`.

        Raises:
            InvalidInput: there is no such photograph.
            StoreError: it has no features yet, or they are damaged.
        """
        photograph = self._named(name)
        record = self._stores.features.read("features", photograph.key)
        return features_from_record({**record, "source": str(photograph.path)})

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Names of the two photographs of each pair that the last run chose, that have features and are matched.

        Raises:
            StoreError: the list of the chosen pairs is damaged.
        """
        usable = {photograph.name for photograph in self.photographs}
        for name0, name1 in read_selected_pairs(self.folder):
            if (
                name0 in usable
                and name1 in usable
                and self._stores.matches.has("matches", self._pair(name0, name1))
            ):
                yield name0, name1

    def matches(self, name0: str, name1: str) -> tuple[Int32[np.ndarray, "k 2"], Float32[np.ndarray, "k"]]:
        """The matches of a pair: indices into the keypoints of both photographs, and scores.

        Args:
            name0: of the first photograph, in the order of `pairs`.
            name1: of the second.

        Raises:
            InvalidInput: there is no such photograph.
            StoreError: the pair isn't matched, or its matches are damaged.
        """
        record = self._stores.matches.read("matches", self._pair(name0, name1))
        return record["matches"], record["scores"]

    def verified(self, name0: str, name1: str) -> TwoViewEstimate | None:
        """The geometry of a pair with its inliers, or the reason why there is none; None: it wasn't verified.

        Args:
            name0: as for `matches`.
            name1: likewise.

        Raises:
            InvalidInput: as for `matches`.
            StoreError: it is damaged.
        """
        if not self.is_verified(name0, name1):
            return None
        return estimate_from_record(self._stores.verified.read("verified", self._pair(name0, name1)))

    def is_verified(self, name0: str, name1: str) -> bool:
        """Whether `verified` has an answer for a pair; takes and raises the same, and reads less."""
        return self._stores.verified.has("verified", self._pair(name0, name1))

    @cached_property
    def _stores(self) -> Stores:
        location = stores_location(self.folder, self.state.stores)
        return Stores.open(location, self.state.settings, remedy=resume_hint(self.folder, self.state))

    @cached_property
    def _by_name(self) -> dict[str, ImageRecord]:
        return {photograph.name: photograph for photograph in self.state.photographs}

    def _has_features(self, photograph: ImageRecord) -> bool:
        return self._stores.features.has("features", photograph.key)

    def _named(self, name: str) -> ImageRecord:
        if name not in self._by_name:
            raise InvalidInput(
                f"{self.folder} has no photograph {name!r}; those it has are in its `photographs`"
            )
        return self._by_name[name]

    def _pair(self, name0: str, name1: str) -> str:
        return pair_key((self._named(name0).key, self._named(name1).key))


def open_collection(out: str | os.PathLike[str], *, tell: WarningCallback = log_warning) -> Collection:
    """Open what `match_collection` left.

    Args:
        out: its output folder.
        tell: is told, in a line, what is missing of what the last run asked for, when something is written of the
            collection, which then leaves it out. Without, the log is.

    Raises:
        InvalidInput: no run has written there.
        StoreError: it is of another version of tiepoint, or damaged.

    Example:
        >>> collection = tiepoint.open_collection("out/")
        >>> for name0, name1 in collection.pairs():
        ...     matches, scores = collection.matches(name0, name1)
    """
    folder = Path(out)
    return Collection(folder=folder, state=read_state(folder), tell=tell)
