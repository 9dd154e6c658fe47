"""What matching gives for labeled pairs; what the store holds already isn't done again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photographs import strongest
from tiepoint.evaluation.predict import SHARD_SIZE, Predictions, predict
from tiepoint.evaluation.predictors import PresetPredictor, describe
from tiepoint.evaluation.protocols import OURS
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, matches_to_record
from tiepoint.geometry.pair_verification import PairStatistics, pair_statistics
from tiepoint.io.batching import batched
from tiepoint.io.progress import ProgressCallback, track
from tiepoint.result import MatchResult
from tiepoint.types import Features
from verdict_pairs import LabeledPair

ALL = OURS.max_keypoints
FEW = 512
"""Keypoints with which each pair is matched a second time: the verdict must hold for small budgets too."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one preset with one budget saw of one pair."""

    preset: str
    keypoints: int
    labeled: LabeledPair
    evidence: PairStatistics


def observe(
    preset: str, pairs: Sequence[LabeledPair], folder: Path, progress: ProgressCallback
) -> Iterator[Observation]:
    """Match with both budgets; features and matches stay in the folder."""
    predictor = PresetPredictor(preset, OURS)
    store = Store(folder / preset, describe(predictor, OURS))
    predictions = predict([labeled.pair for labeled in pairs], predictor, store, progress=progress)
    match_few(predictions, predictor, progress)
    for labeled in pairs:
        images = predictions.images[labeled.pair.name]
        for keypoints, kind in ((ALL, "matches"), (FEW, f"matches-{FEW}")):
            evidence = pair_statistics(result_of(store, images, keypoints, kind).correspondences)
            yield Observation(preset=preset, keypoints=keypoints, labeled=labeled, evidence=evidence)


def match_few(predictions: Predictions, predictor: PresetPredictor, progress: ProgressCallback) -> None:
    """Match the strongest keypoints of each image."""
    store, kind = predictions.store, f"matches-{FEW}"
    by_key = {pair_key(images): images for images in predictions.images.values()}
    missing = store.missing(kind, by_key)
    batches = list(batched(missing, SHARD_SIZE))
    for batch in track(batches, f"{predictor.name}: {len(missing)} pairs with {FEW} keypoints", progress):
        results = predictor.match_features([features_of(store, by_key[key], FEW) for key in batch])
        records = {
            key: matches_to_record(result.matches, result.scores) | {"layers_run": result.layers_run}
            for key, result in zip(batch, results, strict=True)
        }
        store.write(kind, records)


def features_of(store: Store, images: tuple[str, str], keypoints: int) -> tuple[Features, Features]:
    """The strongest keypoints of both images."""
    first, second = (features_from_record(store.read("features", name)) for name in images)
    return strongest((first, second), keypoints)


def result_of(store: Store, images: tuple[str, str], keypoints: int, kind: str) -> MatchResult:
    """What the matcher gave, as far as the store keeps it."""
    features0, features1 = features_of(store, images, keypoints)
    record = store.read(kind, pair_key(images))
    unknown = np.zeros(0, dtype=np.int64)  # the store doesn't keep prunings
    return MatchResult(
        matches=record["matches"].astype(np.int64),
        scores=record["scores"],
        features0=features0,
        features1=features1,
        layers_run=record["layers_run"],
        prune0=unknown,
        prune1=unknown,
    )
