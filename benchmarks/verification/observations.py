"""Statistics of labeled pairs; features and matches that are already stored are not computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.images import top_k
from benchmarks.verification.pairs import LabeledPair
from tiepoint.evaluation.predict import SHARD_SIZE, Predictions, predict
from tiepoint.evaluation.predictors import PresetPredictor, describe
from tiepoint.evaluation.protocols import OURS
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, matches_to_record
from tiepoint.geometry.pair_verification import PairStatistics, pair_statistics
from tiepoint.io.batching import batched
from tiepoint.io.progress import progress_bar, track
from tiepoint.result import MatchResult
from tiepoint.types import Features

MAX_KEYPOINTS = OURS.max_keypoints
SMALL_MAX_KEYPOINTS = 512
"""Second number of keypoints for which each pair is matched: probabilities must hold for small budgets too."""

MATCHES, SMALL_MATCHES = "matches", f"matches-{SMALL_MAX_KEYPOINTS}"
"""Kinds of stored records."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Statistics of one pair, matched by one preset with one number of keypoints."""

    preset: str
    keypoints: int
    labeled: LabeledPair
    statistics: PairStatistics


def observe(preset: str, pairs: Sequence[LabeledPair], folder: Path) -> Iterator[Observation]:
    """Match with both numbers of keypoints; features and matches are kept in the folder."""
    predictor = PresetPredictor(preset, OURS)
    store = Store(folder / preset, describe(predictor, OURS))
    predictions = predict([labeled.pair for labeled in pairs], predictor, store, progress=progress_bar)
    match_top_k(predictions, predictor)
    for labeled in pairs:
        images = predictions.images[labeled.pair.name]
        for keypoints, kind in ((MAX_KEYPOINTS, MATCHES), (SMALL_MAX_KEYPOINTS, SMALL_MATCHES)):
            statistics = pair_statistics(read_result(store, images, keypoints, kind).correspondences)
            yield Observation(preset=preset, keypoints=keypoints, labeled=labeled, statistics=statistics)


def match_top_k(predictions: Predictions, predictor: PresetPredictor) -> None:
    """Match the highest-scoring keypoints of each image."""
    store = predictions.store
    by_key = {pair_key(images): images for images in predictions.images.values()}
    missing = store.missing(SMALL_MATCHES, by_key)
    batches = list(batched(missing, SHARD_SIZE))
    text = f"{predictor.name}: {len(missing)} pairs with {SMALL_MAX_KEYPOINTS} keypoints"
    for batch in track(batches, text, progress_bar):
        pairs = [read_features(store, by_key[key], SMALL_MAX_KEYPOINTS) for key in batch]
        records = {
            key: matches_to_record(result.matches, result.scores) | {"layers_run": result.layers_run}
            for key, result in zip(batch, predictor.match_features(pairs), strict=True)
        }
        store.write(SMALL_MATCHES, records)


def read_features(store: Store, images: tuple[str, str], keypoints: int) -> tuple[Features, Features]:
    """Read the highest-scoring keypoints of both images."""
    features0, features1 = (features_from_record(store.read("features", name)) for name in images)
    return top_k((features0, features1), keypoints)


def read_result(store: Store, images: tuple[str, str], keypoints: int, kind: str) -> MatchResult:
    """Read the result of the matcher, without pruning, which is not stored."""
    features0, features1 = read_features(store, images, keypoints)
    record = store.read(kind, pair_key(images))
    unknown = np.zeros(0, dtype=np.int64)
    return MatchResult(
        matches=record["matches"].astype(np.int64),
        scores=record["scores"],
        features0=features0,
        features1=features1,
        layers_run=record["layers_run"],
        prune0=unknown,
        prune1=unknown,
    )
