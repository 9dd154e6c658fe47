"""Precision against score threshold from counts per scene, and the calibration that is fitted to it."""

from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from tiepoint.matching.precision import SCORES

MIN_MATCHES = 100
"""Number of matches of the fitted scenes above a threshold that a row of the calibration needs at least."""

MIN_SCENES = 4
"""Number of scenes that these matches come from at least."""

NUM_RESAMPLES = 2000
CONFIDENCE = 0.95
NUM_DECIMALS = 3


@dataclass(frozen=True, kw_only=True)
class SceneCounts:
    """Matches of several scenes above each threshold of `SCORES`.

    Attributes:
        matches: Matches with known ground truth per scene and threshold.
        correct: Number of them that are correct.
    """

    matches: Int[np.ndarray, "s t"]
    correct: Int[np.ndarray, "s t"]

    @classmethod
    def read(cls, group: dict[str, Any], scenes: list[int]) -> "SceneCounts":
        """Return the counts of some scenes of a group of the record."""
        matches, correct = (np.array(group[name], dtype=np.int64) for name in ("matches", "correct"))
        return cls(matches=matches[scenes], correct=correct[scenes])


def count_above(scores: Float[np.ndarray, "k"]) -> Int[np.ndarray, "t"]:
    """Return the number of scores above each threshold of `SCORES`."""
    return (scores[:, None] > np.array(SCORES)).sum(axis=0)


def precision(
    counts: SceneCounts, weights: Float[np.ndarray, "*b s"] | None = None
) -> Float[np.ndarray, "*b t"]:
    """Return the precision above each threshold, of a match of a randomly chosen scene; NaN without matches.

    Each scene has the same weight at the lowest threshold, whatever its number of matches; above it, a scene counts by
    the fraction of its matches that are left.

    Args:
        counts: Counts per scene and threshold.
        weights: Number of times that each scene was drawn, for the bootstrap; None: once.
    """
    drawn = np.ones(len(counts.matches)) if weights is None else weights
    per_match = drawn / np.maximum(1, counts.matches[:, 0])  # (*b, s)
    with np.errstate(invalid="ignore"):
        return (per_match @ counts.correct) / (per_match @ counts.matches)


def retained(counts: SceneCounts) -> Float[np.ndarray, "t"]:
    """Return the fraction of the correct matches at the lowest threshold that are left, as a mean over scenes."""
    has_correct = counts.correct[:, 0] > 0
    correct = counts.correct[has_correct]
    return (correct / correct[:, :1]).mean(axis=0)


def interval(counts: SceneCounts) -> Float[np.ndarray, "2 t"]:
    """Return the bounds of the percentile bootstrap over scenes; NaN without matches."""
    generator = np.random.default_rng(0)
    num_scenes = len(counts.matches)
    draws = generator.multinomial(num_scenes, np.full(num_scenes, 1 / num_scenes), NUM_RESAMPLES)
    tail = (1 - CONFIDENCE) / 2
    bounds = np.full((2, counts.matches.shape[1]), np.nan)
    has_matches = counts.matches.any(axis=0)
    samples = precision(counts, draws)[:, has_matches]  # NaN where a resample has no matches
    bounds[:, has_matches] = np.nanquantile(samples, (tail, 1 - tail), axis=0)
    return bounds


def fit(counts: SceneCounts) -> list[float]:
    """Return the smallest precision above each threshold and all higher ones, rounded down.

    Thresholds with too few matches are left out, so that the result may be shorter than `SCORES`.
    """
    has_enough = (counts.matches.sum(axis=0) >= MIN_MATCHES) & (
        (counts.matches > 0).sum(axis=0) >= MIN_SCENES
    )
    length = len(SCORES) if has_enough.all() else int(np.argmin(has_enough))
    measured = precision(counts)[:length]
    lowest = np.minimum.accumulate(measured[::-1])[::-1]
    return [floor(value * 10**NUM_DECIMALS) / 10**NUM_DECIMALS for value in lowest]
