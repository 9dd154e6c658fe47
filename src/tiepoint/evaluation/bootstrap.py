"""How sure a figure is, and whether a difference between two of them is real."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput

BLOCK_VALUES = 4_000_000
"""Resampled values that are in memory at a time."""

Figures: TypeAlias = np.ndarray | np.floating
"""One figure a draw, or one alone."""

Statistic: TypeAlias = Callable[[np.ndarray], Figures]
"""Reduces the last axis: (..., n) values, one a pair, to (...) figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and the interval that holds it.

    Attributes:
        value: of the data as they are.
        low: lower end of the percentile interval.
        high: upper end.
        confidence: share of the resampled figures that lie within.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    @property
    def excludes_zero(self) -> bool:
        """For a difference: whether it is real, that is, whether both ends have the same sign."""
        return self.low > 0 or self.high < 0


def mean(values: np.ndarray) -> Figures:
    """The statistic that means use."""
    return values.mean(axis=-1)


def bootstrap_interval(
    values: Float[np.ndarray, "n"],
    *,
    statistic: Statistic = mean,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """How sure a figure over pairs is: they are drawn again with replacement.

    Args:
        values: one a pair: an error, a share, a number.
        statistic: what makes a figure of them; `auc` takes infinite errors, `mean` does not.
        samples: number of draws.
        confidence: of the interval.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        InvalidInput: no values, NaN, or a figure that isn't finite.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile interval). Pairs of one
    scene resemble each other, so that the truth is somewhat less sure than the interval says.
    """
    return _interval(lambda rows: _figure(values[rows], statistic), len(values), samples, confidence, seed)


def paired_bootstrap(
    values0: Float[np.ndarray, "n"],
    values1: Float[np.ndarray, "_"],
    *,
    statistic: Statistic = mean,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """How sure a difference is: the same draws of pairs for both methods.

    Args:
        values0: one a pair, of method 0.
        values1: of method 1, on the same pairs in the same order.
        statistic: see `bootstrap_interval`.
        samples: number of draws.
        confidence: of the interval.
        seed: of the draws.

    Returns:
        Figure of method 1 minus figure of method 0; the difference is real where the interval excludes zero.

    Raises:
        InvalidInput: different numbers of values, none, NaN, or a figure that isn't finite.
    """
    if len(values0) != len(values1):
        raise InvalidInput(
            f"a paired comparison needs the same pairs twice, but got {len(values0)} and {len(values1)} values; "
            "keep the pairs that both methods were scored on"
        )

    def difference(rows: np.ndarray) -> Figures:
        return _figure(values1[rows], statistic) - _figure(values0[rows], statistic)

    return _interval(difference, len(values0), samples, confidence, seed)


def _interval(
    figure: Callable[[np.ndarray], Figures], count: int, samples: int, confidence: float, seed: int
) -> Interval:
    if count == 0 or samples < 1 or not 0 < confidence < 1:
        raise InvalidInput(
            "the bootstrap needs one value or more, one sample or more and a confidence between 0 and 1, "
            f"but got {count} values, {samples} samples and {confidence}"
        )
    value = figure(np.arange(count))
    generator, drawn = np.random.default_rng(seed), []
    block = max(1, BLOCK_VALUES // count)
    for start in range(0, samples, block):
        rows = generator.integers(0, count, (min(block, samples - start), count))
        drawn.append(figure(rows))
    low, high = np.quantile(np.concatenate(drawn), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=float(value), low=float(low), high=float(high), confidence=confidence)


def _figure(values: np.ndarray, statistic: Statistic) -> Figures:
    figures = np.asarray(statistic(values), dtype=np.float64)
    if not np.isfinite(figures).all():
        raise InvalidInput(
            "a figure of the bootstrap isn't finite; leave out pairs without truth (NaN), and take a statistic that "
            "counts failures (inf), such as auc"
        )
    return figures
