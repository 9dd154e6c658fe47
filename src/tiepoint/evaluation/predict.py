"""Stage 1: features and matches of all pairs to a store. Existing records are not recomputed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor, PresetPredictor
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record, matches_to_record
from tiepoint.image import Image, read_image
from tiepoint.io.batching import batched
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest
from tiepoint.io.progress import ProgressCallback, no_progress, track
from tiepoint.types.options import Stretch

SHARD_SIZE = 8
# Images or pairs per shard: at most this many are recomputed after an interruption


class Source(NamedTuple):
    """An image as it is matched: a file and its number of 90-degree rotations (CCW)."""

    path: Path
    num_rotations: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Keys of the predictions in the store.

    Attributes:
        store: Store with records "features" per image and "matches" per pair of images.
        images: Name of a pair -> keys of its two images; pairs with unreadable images are excluded.
        problems: Unreadable images, one message per image.
    """

    store: Store
    images: dict[str, tuple[str, str]]
    problems: tuple[str, ...]


def predict(
    pairs: Sequence[EvaluationPair],
    predictor: Predictor,
    store: Store,
    *,
    progress: ProgressCallback = no_progress,
) -> Predictions:
    """Extract each image once and match each pair once, and write both to the store.

    Interrupted runs can be resumed. Features are read back from the store before they are matched.

    Args:
        pairs: Evaluation pairs; an image may be part of several pairs.
        predictor: Method under evaluation.
        store: Store with the settings of the predictor.
        progress: Callback that shows the progress.

    Raises:
        StoreError: If the store contains records of other settings.
        InvalidInput: If the store cannot be written to.
    """
    keys, problems = _find_images(pairs)
    problems |= _extract_missing(keys, predictor, store, progress)
    images = {
        pair.name: (keys[sources[0]], keys[sources[1]])
        for pair, sources in ((pair, _sources(pair)) for pair in pairs)
        if not problems.keys() & set(sources)
    }
    _match_missing(list(dict.fromkeys(images.values())), predictor, store, progress)
    return Predictions(store=store, images=images, problems=tuple(dict.fromkeys(problems.values())))


def _find_images(pairs: Sequence[EvaluationPair]) -> tuple[dict[Source, str], dict[Source, str]]:
    """Return keys (name and content digest, so that a data set may be moved) and problems by image."""
    keys: dict[Source, str] = {}
    problems: dict[Source, str] = {}
    for source in dict.fromkeys(source for pair in pairs for source in _sources(pair)):
        try:
            content = file_digest(source.path)
        except OSError as error:
            problems[source] = f"cannot read {source.path}: {error.strerror or error}"
        else:
            keys[source] = _key(source, content)
    return keys, problems


def _key(source: Source, content: str) -> str:
    rotation = f"/{source.num_rotations}" if source.num_rotations else ""
    return f"{source.path.name}@{content[:SHORT_DIGEST_LENGTH]}{rotation}"


def _extract_missing(
    keys: dict[Source, str], predictor: Predictor, store: Store, progress: ProgressCallback
) -> dict[Source, str]:
    """Extract missing features; return the problems of unreadable images."""
    sources = {key: source for source, key in keys.items()}
    problems: dict[str, str] = {}
    stretch = predictor.stretch if isinstance(predictor, PresetPredictor) else None
    missing = store.missing("features", sources)
    for batch in _tracked_batches(missing, f"{predictor.name}: {len(missing)} images", progress):
        records = {}
        for key in batch:
            try:
                image, seconds = _read(sources[key], stretch)
            except InvalidInput as error:
                problems[key] = str(error)
            else:
                records[key] = _extract(image, predictor) | {"seconds_read": seconds}
        if records:
            store.write("features", records)
    return {source: problems[key] for source, key in keys.items() if key in problems}


def _read(source: Source, stretch: Stretch) -> tuple[Image, float]:
    start = perf_counter()
    image = read_image(source.path, stretch=stretch)
    rotated = torch.rot90(image.pixels, source.num_rotations, (1, 2))
    return replace(image, pixels=rotated), perf_counter() - start


def _extract(image: Image, predictor: Predictor) -> dict[str, Any]:
    start = perf_counter()
    features = predictor.extract(image)
    return features_to_record(features) | {"seconds_extract": perf_counter() - start}


def _match_missing(
    pairs: list[tuple[str, str]], predictor: Predictor, store: Store, progress: ProgressCallback
) -> None:
    by_key = {pair_key(images): images for images in pairs}
    missing = store.missing("matches", by_key)
    for batch in _tracked_batches(missing, f"{predictor.name}: {len(missing)} pairs", progress):
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
    return Source(pair.image0, pair.num_rotations0), Source(pair.image1, pair.num_rotations1)


def _tracked_batches(
    items: Sequence[str], description: str, progress: ProgressCallback
) -> Iterator[list[str]]:
    return track(list(batched(items, SHARD_SIZE)), description, progress)
