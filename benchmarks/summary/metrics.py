"""The summary: the mean of three means over data sets, of homographies, poses and hand-marked points.

AUC of the corner error up to 5 px, AUC of the pose error up to 10 degrees, and the fraction of hand-marked points within
1, 2 … 20 px of the epipolar line (mAA); each in per cent, first over the pairs of a data set, then over data sets.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tiepoint.evaluation.bootstrap import Interval
from tiepoint.geometry.metrics import auc

KINDS = {
    "homography": ("corner_error_px", 5.0),
    "pose": ("pose_error_deg", 10.0),
    "points": ("marked_maa", None),
}
"""Kind of ground truth -> value of a pair, and the threshold of its AUC; None for a mean."""

SAMPLES = 2000
"""Bootstrap samples."""

Values = Mapping[tuple[str, str], np.ndarray]
"""(kind of ground truth, data set) -> value per pair, or values of many samples (samples, pairs)."""

Rows = Mapping[tuple[str, str], np.ndarray]
"""(kind of ground truth, data set) -> indices of pairs, for all pairs or for many samples."""


def summarize(values: Values) -> np.ndarray:
    """Return the summary in per cent: shape () for values per pair, (samples,) for resampled values."""
    by_kind: dict[str, list[np.ndarray]] = {}
    for (kind, _), column in values.items():
        by_kind.setdefault(kind, []).append(_metric(kind, column))
    return 100 * np.mean([np.mean(metrics, axis=0) for metrics in by_kind.values()], axis=0)


def interval(values: Values) -> Interval:
    """Return the summary with its 95 % bootstrap interval; pairs are resampled within each data set."""
    return _interval(lambda rows: summarize({key: values[key][rows[key]] for key in values}), values)


def difference(values0: Values, values1: Values) -> Interval:
    """Return the summary of method 1 minus that of method 0 on the same pairs, with its paired interval."""

    def both(rows: Rows) -> np.ndarray:
        first, second = ({key: values[key][rows[key]] for key in values} for values in (values0, values1))
        return summarize(second) - summarize(first)

    return _interval(both, values0)


def _metric(kind: str, column: np.ndarray) -> np.ndarray:
    threshold = KINDS[kind][1]
    return column.mean(axis=-1) if threshold is None else np.asarray(auc(column, [threshold]))[..., 0]


def _interval(statistic: Callable[[Rows], np.ndarray], values: Values) -> Interval:
    generator = np.random.default_rng(0)
    counts = {key: len(column) for key, column in values.items()}
    samples = statistic({key: generator.integers(0, n, (SAMPLES, n)) for key, n in counts.items()})
    low, high = np.quantile(samples, (0.025, 0.975))
    value = statistic({key: np.arange(n) for key, n in counts.items()})
    return Interval(value=float(value), low=float(low), high=float(high))
