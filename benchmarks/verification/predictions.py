"""Predicted probabilities for the pairs of benchmarks/records/verification.json."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from benchmarks.records import Record
from benchmarks.verification.fitted import held_out_half
from tiepoint.geometry.pair_verification import MIN_SAME_SCENE_PROBABILITY, PairStatistics, classify


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions for the pairs of one preset with one number of keypoints.

    Attributes:
        preset: Preset that matched the pairs.
        keypoints: Maximum number of keypoints per image.
        probabilities: Predicted probability per pair.
        labels: Whether each pair shows the same scene.
        names: Names of the pairs.
        statistics: Statistics of the pairs.
    """

    preset: str
    keypoints: int
    probabilities: Float[np.ndarray, "n"]
    labels: Bool[np.ndarray, "n"]
    names: tuple[str, ...]
    statistics: tuple[PairStatistics, ...]

    @property
    def positive(self) -> Bool[np.ndarray, "n"]:
        """Whether each pair is classified as showing the same scene."""
        return self.probabilities >= MIN_SAME_SCENE_PROBABILITY


def predict(record: Record) -> Iterator[Predictions]:
    """Yield the predictions for each preset and number of keypoints, on the scenes that it was not fitted on."""
    pairs = record["pairs"]
    for group in record["observations"]:
        rows = [
            (pairs["name"][pair], pairs["same"][pair], statistics)
            for pair, statistics in zip(group["pairs"], read_statistics(group), strict=True)
            if pairs["half"][pair] == held_out_half(group["preset"])
        ]
        if rows:
            names, labels, statistics = zip(*rows, strict=True)
            yield Predictions(
                preset=group["preset"],
                keypoints=group["keypoints"],
                probabilities=np.array([classify(one).probability for one in statistics]),
                labels=np.array(labels),
                names=names,
                statistics=statistics,
            )


def read_statistics(group: dict[str, Any]) -> list[PairStatistics]:
    """Return the statistics of a group of the record, pair by pair."""
    fields = list(PairStatistics.__dataclass_fields__)
    columns = zip(*(group[name] for name in fields), strict=True)
    return [PairStatistics(**dict(zip(fields, values, strict=True))) for values in columns]
