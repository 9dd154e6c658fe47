"""Matches and images of an evaluated pair, read again from the store of its evaluation and from the data set."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiepoint.errors import InvalidInput, TiepointError
from tiepoint.evaluation.report import PairResult
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record
from tiepoint.feature_store.store import SETTINGS
from tiepoint.image import Image, read_image
from tiepoint.result import MatchResult
from tiepoint.types import Features


@dataclass(frozen=True, slots=True)
class PairMatches:
    """Matches of a pair and its images.

    Attributes:
        result: Matches, in px of the images as they were matched.
        images: Both images, rotated as they were matched.
        keys: Keys of the images in the store.
    """

    result: MatchResult
    images: tuple[Image, Image]
    keys: tuple[str, str]


def read_pair_matches(row: PairResult) -> PairMatches:
    """Read the matches of a pair from the store of its evaluation, and its images from the data set.

    Args:
        row: Row of a report.

    Raises:
        InvalidInput: If the matches were not kept, or the store or an image can no longer be read.
    """
    if not row.matches:
        raise InvalidInput("matches were not kept; evaluate with a store (tiepoint eval … --store FOLDER)")
    keys = (row.matches["image0"], row.matches["image1"])
    try:
        result = _read_result(_open_store(row.matches["store"]), keys)
        first, second = (
            _read(features, key)
            for features, key in zip((result.features0, result.features1), keys, strict=True)
        )
    except TiepointError as error:
        raise InvalidInput(f"cannot read matches or images: {error}") from error
    return PairMatches(result, (first, second), keys)


@lru_cache(maxsize=8)
def _open_store(folder: str) -> Store:
    """Open an existing store with the settings that it was created with."""
    try:
        settings: dict[str, Any] = json.loads((Path(folder) / SETTINGS).read_text(encoding="utf-8"))[
            "settings"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(f"store {folder!r} not found; evaluate again with a store") from None
    return Store(folder, settings, check="headers")


def _read_result(store: Store, keys: tuple[str, str]) -> MatchResult:
    features0, features1 = (features_from_record(store.read("features", key)) for key in keys)
    record = store.read("matches", pair_key(keys))
    layers = int(record.get("layers_run", 0))
    return MatchResult(
        matches=record["matches"].astype(np.int64),
        scores=record["scores"],
        features0=features0,
        features1=features1,
        layers_run=layers,
        prune0=np.full(len(features0), layers, np.int64),
        prune1=np.full(len(features1), layers, np.int64),
    )


def _read(features: Features, key: str) -> Image:
    """Read an image; a key that ends in /1, /2 or /3 is that of an image rotated by that many times 90° (CCW)."""
    image = read_image(features.source or "", stretch="auto")
    rotations = int(key.rpartition("/")[2]) if key[-2:] in ("/1", "/2", "/3") else 0
    rotated = replace(image, pixels=torch.rot90(image.pixels, rotations, (1, 2)))
    if rotated.image_size != features.image_size:
        raise InvalidInput(f"image {features.source} has changed since it was evaluated; evaluate again")
    return rotated
