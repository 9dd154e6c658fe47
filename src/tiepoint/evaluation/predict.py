"""Loop 1: from pairs to a store of features and matches. What the store holds already isn't done again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import torch

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record, matches_to_record
from tiepoint.image import Image, read_image
from tiepoint.io.progress import Track, untracked

T = TypeVar("T")

SHARD = 8
"""Images, or pairs, that are written together: what is lost when the program is killed."""


class Source(NamedTuple):
    """An image as it is matched: a file, and by how many quarter turns it is turned."""

    path: Path
    quarter_turns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Where the store holds what.

    Attributes:
        store: with records "features" by image and "matches" by pair of images.
        images: name of a pair -> keys of its two images; pairs that can't be predicted are left out.
        problems: images that can't be read, one line each.
    """

    store: Store
    images: dict[str, tuple[str, str]]
    problems: tuple[str, ...]


def predict(
    pairs: Sequence[EvaluationPair], predictor: Predictor, store: Store, *, track: Track = untracked
) -> Predictions:
    """Extract each image once and match each pair once, and keep both in the store.

    Killed at any time, it goes on where it was. Features are matched as they come back from the store.

    Args:
        pairs: an image may be in any number of them.
        predictor: what extracts and matches.
        store: made with the settings of the predictor.
        track: shows progress.

    Raises:
        StoreError: the store holds records of other settings.
        InvalidInput: it can't be written to.
    """
    keys, problems = _find_images(pairs)
    problems |= _extract_missing(keys, predictor, store, track)
    images = {
        pair.name: (keys[sources[0]], keys[sources[1]])
        for pair, sources in ((pair, _sources(pair)) for pair in pairs)
        if not problems.keys() & set(sources)
    }
    _match_missing(list(dict.fromkeys(images.values())), predictor, store, track)
    return Predictions(store=store, images=images, problems=tuple(dict.fromkeys(problems.values())))


def _find_images(pairs: Sequence[EvaluationPair]) -> tuple[dict[Source, str], dict[Source, str]]:
    """Images -> keys (name and content, so that a data set may move), and images without content -> problems."""
    keys: dict[Source, str] = {}
    problems: dict[Source, str] = {}
    for source in dict.fromkeys(source for pair in pairs for source in _sources(pair)):
        try:
            content = hashlib.sha256(source.path.read_bytes()).hexdigest()
        except OSError as error:
            problems[source] = f"can't read {source.path}: {error.strerror or error}"
        else:
            keys[source] = _key(source, content)
    return keys, problems


def _key(source: Source, content: str) -> str:
    turned = f"/{source.quarter_turns}" if source.quarter_turns else ""
    return f"{source.path.name}@{content[:16]}{turned}"


def _extract_missing(
    keys: dict[Source, str], predictor: Predictor, store: Store, track: Track
) -> dict[Source, str]:
    """Extract what the store lacks; problems of files that aren't images come back."""
    sources = {key: source for source, key in keys.items()}
    problems: dict[str, str] = {}
    missing = store.missing("features", sources)
    for batch in track(_batches(missing), f"{predictor.name}: {len(missing)} images"):
        records = {}
        for key in batch:
            try:
                image, seconds = _read(sources[key])
            except InvalidInput as error:
                problems[key] = str(error)
            else:
                records[key] = _extract(image, predictor) | {"seconds_read": seconds}
        if records:
            store.write("features", records)
    return {source: problems[key] for source, key in keys.items() if key in problems}


def _read(source: Source) -> tuple[Image, float]:
    start = perf_counter()
    image = read_image(source.path)
    turned = torch.rot90(image.pixels, source.quarter_turns, (1, 2))
    return replace(image, pixels=turned), perf_counter() - start


def _extract(image: Image, predictor: Predictor) -> dict[str, Any]:
    start = perf_counter()
    features = predictor.extract(image)
    return features_to_record(features) | {"seconds_extract": perf_counter() - start}


def _match_missing(pairs: list[tuple[str, str]], predictor: Predictor, store: Store, track: Track) -> None:
    by_key = {pair_key(images): images for images in pairs}
    missing = store.missing("matches", by_key)
    for batch in track(_batches(missing), f"{predictor.name}: {len(missing)} pairs"):
        names = dict.fromkeys(image for key in batch for image in by_key[key])
        features = {name: features_from_record(store.read("features", name)) for name in names}
        results = predictor.match_features(
            [(features[first], features[second]) for first, second in (by_key[key] for key in batch)]
        )
        records = {
            key: matches_to_record(result.matches, result.scores)
            | {"seconds_match": result.seconds.get("match", 0.0), "layers_run": result.layers_run}
            for key, result in zip(batch, results, strict=True)
        }
        store.write("matches", records)


def _sources(pair: EvaluationPair) -> tuple[Source, Source]:
    return Source(pair.image0, pair.quarter_turns0), Source(pair.image1, pair.quarter_turns1)


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + SHARD] for start in range(0, len(items), SHARD)]
