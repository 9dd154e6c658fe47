"""compare(): significance of the differences between two reports, by paired bootstrap."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.bootstrap import Interval, paired_bootstrap
from tiepoint.evaluation.report import METRICS, Metric, Report, read_report
from tiepoint.feature_store import differences
from tiepoint.html.pair_page import check_page_path
from tiepoint.io.atomic import check_overwrites, check_writable
from tiepoint.io.serialization import write_json

MIN_PAIRS = 6
# With fewer pairs, differences of the same sign occur too often by chance: for five pairs in 1 of 16 cases

LOWER_IS_BETTER = ("seconds_extract", "seconds_match", "seconds_estimate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of two reports, over their common pairs.

    Attributes:
        metric: Metric that is compared.
        value0: Value of the metric for report 0.
        value1: Value of the metric for report 1.
        interval: 95 % interval of the difference value1 - value0.
        pairs: Number of common pairs with this metric.
    """

    metric: Metric
    value0: float
    value1: float
    interval: Interval
    pairs: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes zero and there are at least `MIN_PAIRS` pairs."""
        return self.pairs >= MIN_PAIRS and self.interval.excludes_zero

    @property
    def conclusion(self) -> str:
        """Which report is better, in words."""
        if not self.is_significant:
            return "not significant" if self.pairs >= MIN_PAIRS else "too few pairs"
        if self.metric.key == "num_matches":
            return "more" if self.interval.value > 0 else "fewer"
        better = (self.interval.value > 0) != (self.metric.key in LOWER_IS_BETTER)
        return "the second is better" if better else "the first is better"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "first": self.value0,
            "second": self.value1,
            "difference": asdict(self.interval),
            "pairs": self.pairs,
            "significant": self.is_significant,
            "conclusion": self.conclusion,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports, compared metric by metric.

    Attributes:
        names: Names of the two predictors.
        dataset: Name of the data set.
        protocol: Name of the protocol.
        differences: Differences, one per metric.
        pairs: Number of common pairs.
        excluded: Number of pairs that only one of the reports contains.
    """

    names: tuple[str, str]
    dataset: str
    protocol: str
    differences: tuple[Difference, ...]
    pairs: int
    excluded: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "names": list(self.names),
            "dataset": self.dataset,
            "protocol": self.protocol,
            "pairs": self.pairs,
            "excluded": self.excluded,
            "metrics": {row.metric.key: row.to_dict() for row in self.differences},
        }


def compare(report0: Report, report1: Report, *, samples: int = 10_000) -> Comparison:
    """Compare two reports on their common pairs by paired bootstrap.

    Args:
        report0: Report 0.
        report1: Report 1, on the same data set and protocol.
        samples: Number of bootstrap samples.

    Raises:
        InvalidInput: If data sets or protocols differ, or there are no common pairs.
    """
    _check_comparable(report0, report1)
    rows = [_difference(metric, report0, report1, samples) for metric in METRICS]
    pairs0, pairs1 = ({row.pair for row in report.rows} for report in (report0, report1))
    if not pairs0 & pairs1:
        raise InvalidInput("the reports have no common pairs; evaluate both on the same pairs")
    return Comparison(
        names=(report0.predictor, report1.predictor),
        dataset=report0.dataset,
        protocol=report0.protocol["name"],
        differences=tuple(row for row in rows if row),
        pairs=len(pairs0 & pairs1),
        excluded=len(pairs0 ^ pairs1),
    )


def compare_files(
    path0: str | os.PathLike[str],
    path1: str | os.PathLike[str],
    *,
    json: str | os.PathLike[str] | None = None,
    page: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Read two reports, compare them, and write the comparison.

    Args:
        path0: Path of report 0, written by `tiepoint eval --json`.
        path1: Path of report 1, written by `tiepoint eval --json`.
        json: Path of the comparison.
        page: Path of a page with the metrics and the pairs that differ most (.html).

    Raises:
        InvalidInput: If a report cannot be read, the reports cannot be compared, or the output cannot be written.
    """
    from tiepoint.evaluation.html_report import write_comparison_page  # which imports this module

    check_overwrites((json, page), (path0, path1))
    if json is not None:
        check_writable(json)
    if page is not None:
        check_page_path(page)
    report0, report1 = read_report(path0), read_report(path1)
    comparison = compare(report0, report1)
    if json is not None:
        write_json(comparison.to_dict(), json)
    if page is not None:
        write_comparison_page(comparison, report0, report1, page)
    return comparison


def _difference(metric: Metric, report0: Report, report1: Report, samples: int) -> Difference | None:
    by_pair0, by_pair1 = metric.values(report0.rows), metric.values(report1.rows)
    shared = [pair for pair in by_pair0 if pair in by_pair1]
    if not shared:
        return None
    values0, values1 = (np.array([values[pair] for pair in shared]) for values in (by_pair0, by_pair1))
    return Difference(
        metric=metric,
        value0=float(metric.statistic(values0)),
        value1=float(metric.statistic(values1)),
        interval=paired_bootstrap(values0, values1, statistic=metric.statistic, samples=samples),
        pairs=len(shared),
    )


def _check_comparable(report0: Report, report1: Report) -> None:
    if report0.dataset != report1.dataset:
        raise InvalidInput(
            f"cannot compare reports of different data sets: {report0.dataset!r} and {report1.dataset!r}"
        )
    if difference := differences(report0.protocol, report1.protocol):
        raise InvalidInput(
            f"cannot compare reports of different protocols: {difference}; use the same protocol for both"
        )
