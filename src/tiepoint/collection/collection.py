"""Collection: read access to the output folder of a run.

OUT/collection.json   images and options of the last run
OUT/pairs.txt         selected pairs; pairs.json: what they were selected from
OUT/stores/           features, matches and two-view geometry, one store per set of settings
OUT/report.json       report of the last finished run, also as report.html
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
from tiepoint.collection.pairs.pairs_file import read_selected_pairs
from tiepoint.collection.state import (
    State,
    Stores,
    estimate_from_record,
    read_state,
    resume_hint,
    stores_location,
)
from tiepoint.errors import InvalidInput
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record
from tiepoint.io.notebook import to_html
from tiepoint.types import Features, TwoViewEstimate

logger = logging.getLogger(__name__)

WarningCallback: TypeAlias = Callable[[str], object]
"""Called with a one-line message about data that is missing and therefore left out."""


def log_warning(message: str) -> None:
    """Log a message as a warning; the default `WarningCallback`."""
    logger.warning("%s", message)


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """An output folder of `match_collection`, opened for reading.

    Attributes:
        folder: Output folder.
        state: Images and options of the last run.
        on_warning: Called when something is written from an incomplete collection, see
            `tiepoint.collection.run.completeness`.
    """

    folder: Path
    state: State
    on_warning: WarningCallback = log_warning

    def __repr__(self) -> str:
        preset, pairs = self.state.options.get("preset"), self.state.options.get("pairs")
        return f"Collection({str(self.folder)!r}: {len(self.state.images)} images, preset={preset!r}, pairs={pairs!r})"

    def _repr_html_(self) -> str:
        """Show the options and the numbers of images and pairs in a notebook."""
        options = self.state.options
        rows: list[tuple[str, object]] = [
            ("images", f"{len(self.images):,} of {len(self.state.images):,} with features"),
            ("pairs", f"{sum(1 for _ in self.pairs()):,} matched, selected by {options.get('pairs')}"),
            ("preset", options.get("preset")),
        ]
        return to_html(f"Collection {self.folder}", rows)

    @property
    def images(self) -> tuple[ImageRecord, ...]:
        """Images with features, in natural sort order of their names ("2.jpg" before "10.jpg")."""
        return tuple(image for image in self.state.images if self._has_features(image))

    @property
    def settings(self) -> dict[str, Any]:
        """Options of the last run, and the settings of the records under "features", "matches" and "verified"."""
        return {**self.state.options, **self.state.settings}

    def features(self, name: str) -> Features:
        """Return the features of an image, on the CPU.

        Args:
            name: Name of the image, as in `images`.

        Raises:
            InvalidInput: If there is no such image.
            StoreError: If it has no features yet, or they are damaged.
        """
        image = self._find(name)
        record = self._stores.features.read("features", image.key)
        return features_from_record({**record, "source": str(image.path)})

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the image names of each selected pair that is matched and whose images have features.

        Raises:
            StoreError: If the file of the selected pairs is damaged.
        """
        usable = {image.name for image in self.images}
        for name0, name1 in read_selected_pairs(self.folder):
            if (
                name0 in usable
                and name1 in usable
                and self._stores.matches.has("matches", self._pair(name0, name1))
            ):
                yield name0, name1

    def matches(self, name0: str, name1: str) -> tuple[Int32[np.ndarray, "k 2"], Float32[np.ndarray, "k"]]:
        """Return the matches of a pair: keypoint indices in both images, and scores.

        Args:
            name0: Name of image 0, in the order of `pairs`.
            name1: Name of image 1.

        Raises:
            InvalidInput: If there is no such image.
            StoreError: If the pair is not matched, or its matches are damaged.
        """
        record = self._stores.matches.read("matches", self._pair(name0, name1))
        return record["matches"], record["scores"]

    def geometry(self, name0: str, name1: str) -> TwoViewEstimate | None:
        """Return the two-view geometry of a pair with its inliers; a failed estimate states the reason.

        Args:
            name0: Name of image 0, in the order of `pairs`.
            name1: Name of image 1.

        Returns:
            The estimate; None if the pair was not verified.

        Raises:
            InvalidInput: If there is no such image.
            StoreError: If the record is damaged.
        """
        if not self.is_verified(name0, name1):
            return None
        return estimate_from_record(self._stores.verified.read("verified", self._pair(name0, name1)))

    def is_verified(self, name0: str, name1: str) -> bool:
        """Return whether `geometry` has an estimate for a pair, without reading it.

        Args:
            name0: Name of image 0, in the order of `pairs`.
            name1: Name of image 1.

        Raises:
            InvalidInput: If there is no such image.
        """
        return self._stores.verified.has("verified", self._pair(name0, name1))

    @cached_property
    def _stores(self) -> Stores:
        location = stores_location(self.folder, self.state.stores)
        return Stores.open(location, self.state.settings, hint=resume_hint(self.folder, self.state))

    @cached_property
    def _by_name(self) -> dict[str, ImageRecord]:
        return {image.name: image for image in self.state.images}

    def _has_features(self, image: ImageRecord) -> bool:
        return self._stores.features.has("features", image.key)

    def _find(self, name: str) -> ImageRecord:
        if name not in self._by_name:
            raise InvalidInput(
                f"unknown image {name!r} in {self.folder}; its property `images` lists all images"
            )
        return self._by_name[name]

    def _pair(self, name0: str, name1: str) -> str:
        return pair_key((self._find(name0).key, self._find(name1).key))


def open_collection(out: str | os.PathLike[str], *, on_warning: WarningCallback = log_warning) -> Collection:
    """Open the output folder of `match_collection` for reading.

    Args:
        out: Output folder.
        on_warning: Called with a one-line message when something is written from an incomplete collection; the missing
            data is left out. By default the message is logged.

    Raises:
        InvalidInput: If the folder is not a collection.
        StoreError: If another format version of tiepoint wrote it, or it is damaged.

    Example:
        >>> collection = tiepoint.open_collection("out/")
        >>> for name0, name1 in collection.pairs():
        ...     matches, scores = collection.matches(name0, name1)
    """
    folder = Path(out)
    return Collection(folder=folder, state=read_state(folder), on_warning=on_warning)


def as_collection(collection: Collection | str | os.PathLike[str]) -> Collection:
    """Return a collection that may be given as its output folder."""
    return open_collection(collection) if isinstance(collection, str | os.PathLike) else collection
