"""compare(): is the difference between two reports real? The paired bootstrap's answer, in words."""

import os
from dataclasses import asdict, dataclass
from json import dumps
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.bootstrap import Interval, paired_bootstrap
from tiepoint.evaluation.report import METRICS, Metric, Report, read_report
from tiepoint.feature_store import differences
from tiepoint.io.atomic import atomic_write, check_writable

FEWEST_PAIRS = 6
"""With fewer, even differences of one sign throughout come about by chance too often: five do in 1 of 16 cases."""

SMALLER_IS_BETTER = ("seconds_extract", "seconds_match", "seconds_estimate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two reports, over the pairs that both have.

    Attributes:
        figure: which.
        value0: of report 0.
        value1: of report 1.
        interval: of the difference, value1 - value0, at 95 %.
        pairs: how many both have.
    """

    figure: Metric
    value0: float
    value1: float
    interval: Interval
    pairs: int

    @property
    def real(self) -> bool:
        """Whether the interval excludes zero, and there are pairs enough for an interval to mean something."""
        return self.pairs >= FEWEST_PAIRS and self.interval.excludes_zero

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.real:
            return "no real difference" if self.pairs >= FEWEST_PAIRS else "too few pairs to tell"
        if self.figure.key == "num_matches":
            return "more" if self.interval.value > 0 else "fewer"
        better = (self.interval.value > 0) != (self.figure.key in SMALLER_IS_BETTER)
        return "the second is better" if better else "the first is better"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {
            "first": self.value0,
            "second": self.value1,
            "difference": asdict(self.interval),
            "pairs": self.pairs,
            "real": self.real,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports, figure by figure.

    Attributes:
        names: of the two predictors.
        dataset: that both are about.
        protocol: name of the protocol that both keep to.
        differences: one a figure.
        pairs: how many both have.
        left_out: pairs that only one of the reports has.
    """

    names: tuple[str, str]
    dataset: str
    protocol: str
    differences: tuple[Difference, ...]
    pairs: int
    left_out: int

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return {
            "names": list(self.names),
            "dataset": self.dataset,
            "protocol": self.protocol,
            "pairs": self.pairs,
            "left_out": self.left_out,
            "figures": {row.figure.key: row.to_dict() for row in self.differences},
        }


def compare(report0: Report, report1: Report, *, samples: int = 10_000) -> Comparison:
    """Compare two reports on the pairs that both have; pairs are drawn anew, the same ones for both.

    Args:
        report0: see `read_report`.
        report1: on the same data set, under the same protocol.
        samples: draws of the bootstrap.

    Raises:
        InvalidInput: another data set, another protocol, or no pair that both have.
    """
    _check_comparable(report0, report1)
    found = [_difference(figure, report0, report1, samples) for figure in METRICS]
    pairs0, pairs1 = ({row.pair for row in report.rows} for report in (report0, report1))
    if not pairs0 & pairs1:
        raise InvalidInput("the two reports have no pair in common; evaluate both on the same pairs")
    return Comparison(
        names=(report0.predictor, report1.predictor),
        dataset=report0.dataset,
        protocol=report0.protocol["name"],
        differences=tuple(difference for difference in found if difference),
        pairs=len(pairs0 & pairs1),
        left_out=len(pairs0 ^ pairs1),
    )


def compare_files(
    path0: str | os.PathLike[str],
    path1: str | os.PathLike[str],
    *,
    json: str | os.PathLike[str] | None = None,
) -> Comparison:
    """Read two reports, compare them, and write what came out.

    Args:
        path0: what `tiepoint eval --json` wrote.
        path1: likewise.
        json: where to write the comparison.

    Raises:
        InvalidInput: as `read_report` and `compare`; or the file can't be written.
    """
    if json is not None:
        check_writable(json)
    comparison = compare(read_report(path0), read_report(path1))
    if json is not None:
        with atomic_write(json) as temporary:
            temporary.write_text(dumps(comparison.to_dict(), indent=1) + "\n", encoding="utf-8")
    return comparison


def _difference(figure: Metric, report0: Report, report1: Report, samples: int) -> Difference | None:
    by_pair0, by_pair1 = figure.values(report0.rows), figure.values(report1.rows)
    shared = [pair for pair in by_pair0 if pair in by_pair1]
    if not shared:
        return None
    values0, values1 = (np.array([values[pair] for pair in shared]) for values in (by_pair0, by_pair1))
    return Difference(
        figure=figure,
        value0=float(figure.statistic(values0)),
        value1=float(figure.statistic(values1)),
        interval=paired_bootstrap(values0, values1, statistic=figure.statistic, samples=samples),
        pairs=len(shared),
    )


def _check_comparable(report0: Report, report1: Report) -> None:
    if report0.dataset != report1.dataset:
        raise InvalidInput(
            f"figures of different data sets can't be compared: {report0.dataset!r} and {report1.dataset!r}"
        )
    if difference := differences(report0.protocol, report1.protocol):
        raise InvalidInput(
            f"figures of different protocols can't be compared: {difference}; evaluate both under one protocol"
        )
