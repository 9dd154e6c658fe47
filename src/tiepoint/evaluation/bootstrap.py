"""Bootstrap confidence intervals of a metric, and of the difference between two methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput

BLOCK_VALUES = 4_000_000
# Maximum number of resampled values in memory

MetricValues: TypeAlias = np.ndarray | np.floating
# Metric of every resample, or a single one

Statistic: TypeAlias = Callable[[np.ndarray], MetricValues]
# Reduces the last axis of the values per pair, (..., n), to metrics of shape (...)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A metric and its confidence interval.

    Attributes:
        value: Metric of the original sample.
        low: Lower end of the percentile interval.
        high: Upper end of the percentile interval.
        confidence: Confidence level.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    @property
    def excludes_zero(self) -> bool:
        """Whether both ends have the same sign: a difference is then significant."""
        return self.low > 0 or self.high < 0


def mean(values: np.ndarray) -> MetricValues:
    """Return the mean over the last axis."""
    return values.mean(axis=-1)


def bootstrap_interval(
    values: Float[np.ndarray, "n"],
    *,
    statistic: Statistic = mean,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a metric over pairs with its bootstrap interval (pairs are resampled with replacement).

    Args:
        values: Value of each pair.
        statistic: Function that computes the metric; `auc` accepts infinite errors, `mean` does not.
        samples: Number of bootstrap samples.
        confidence: Confidence level in (0, 1).
        seed: Random seed.

    Raises:
        InvalidInput: If there are no values, or a metric is not finite.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile interval). Pairs of the same
    scene are correlated, so the true interval is somewhat wider.
    """
    return _interval(lambda rows: _metric(values[rows], statistic), len(values), samples, confidence, seed)


def paired_bootstrap(
    values0: Float[np.ndarray, "n"],
    values1: Float[np.ndarray, "_"],
    *,
    statistic: Statistic = mean,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the difference between two methods with its paired bootstrap interval (the same resamples for both).

    Args:
        values0: Value of each pair for method 0.
        values1: Value of each pair for method 1, on the same pairs in the same order.
        statistic: Function that computes the metric, as for `bootstrap_interval`.
        samples: Number of bootstrap samples.
        confidence: Confidence level in (0, 1).
        seed: Random seed.

    Returns:
        Metric of method 1 minus metric of method 0; the difference is significant if the interval excludes zero.

    Raises:
        InvalidInput: If the numbers of values differ, there are none, or a metric is not finite.
    """
    if len(values0) != len(values1):
        raise InvalidInput(
            f"the paired bootstrap needs the same pairs for both methods, got {len(values0)} and {len(values1)} values; "
            "intersect the pairs first"
        )

    def difference(rows: np.ndarray) -> MetricValues:
        return _metric(values1[rows], statistic) - _metric(values0[rows], statistic)

    return _interval(difference, len(values0), samples, confidence, seed)


def _interval(
    metric: Callable[[np.ndarray], MetricValues], count: int, samples: int, confidence: float, seed: int
) -> Interval:
    if count == 0 or samples < 1 or not 0 < confidence < 1:
        raise InvalidInput(
            "the bootstrap needs at least one value and one sample, and a confidence in (0, 1); "
            f"got {count} values, {samples} samples and confidence {confidence}"
        )
    value = metric(np.arange(count))
    generator, resampled = np.random.default_rng(seed), []
    block = max(1, BLOCK_VALUES // count)
    for start in range(0, samples, block):
        rows = generator.integers(0, count, (min(block, samples - start), count))
        resampled.append(metric(rows))
    low, high = np.quantile(np.concatenate(resampled), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=float(value), low=float(low), high=float(high), confidence=confidence)


def _metric(values: np.ndarray, statistic: Statistic) -> MetricValues:
    metrics = np.asarray(statistic(values), dtype=np.float64)
    if not np.isfinite(metrics).all():
        raise InvalidInput(
            "a metric of the bootstrap is not finite; exclude pairs without ground truth (NaN), and use a statistic "
            "that accepts failures (inf), such as auc"
        )
    return metrics
