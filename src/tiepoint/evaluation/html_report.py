"""The page of a comparison: metrics with their intervals, and the pairs whose results differ most."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.compare import Comparison
from tiepoint.evaluation.pair_matches import read_pair_matches
from tiepoint.evaluation.report import Metric, PairResult, Report
from tiepoint.html.charts import scatter_chart
from tiepoint.html.pair_page import check_page_path
from tiepoint.html.pair_viewers import PairViewers, estimate_for_page
from tiepoint.html.rendering import render_page, write_page

TEMPLATE = "comparison.html.jinja"
MAX_PAIRS = 15
"""Maximum number of pairs per table."""

MAX_VIEWERS = 4
"""Maximum number of pairs per table whose matches can be looked at."""

VALUES: Mapping[str, str] = {
    "corner_error_px": "corner error in px",
    "pose_error_deg": "pose error in degrees",
    "marked_maa": "mAA of the marked points",
    "disparity_within_3px": "fraction of matches within 3 px",
    "num_matches": "number of matches",
}
"""Result per pair -> label; these are shown pair by pair."""


@dataclass(frozen=True, slots=True)
class PairDifference:
    """Result of a pair in two reports."""

    pair: str
    value0: float
    value1: float

    @property
    def size(self) -> float:
        """Absolute difference; inf if one of the two failed, 0 if both did."""
        return 0.0 if self.value0 == self.value1 else abs(self.value1 - self.value0)

    def cells(self) -> list[str]:
        """Return the formatted values of one table row."""
        difference = self.value1 - self.value0
        text = f"{difference:+.4g}" if np.isfinite(difference) else "–"
        return [self.pair, _formatted(self.value0), _formatted(self.value1), text]


def write_comparison_page(
    comparison: Comparison, report0: Report, report1: Report, path: str | os.PathLike[str]
) -> Path:
    """Write the page of a comparison, atomically.

    Args:
        comparison: Output of `compare`.
        report0: Report 0.
        report1: Report 1.
        path: Output path, ending in .html or .htm.

    Returns:
        The path.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    check_page_path(path)
    viewers = PairViewers()
    page = render_page(
        "tiepoint.evaluation",
        TEMPLATE,
        title=f"{comparison.names[0]} and {comparison.names[1]}",
        comparison=comparison,
        metrics=[_metric_cells(row) for row in comparison.differences],
        sections=list(_sections(comparison, report0, report1, viewers)),
        viewers=viewers,
    )
    return write_page(page, path)


def pair_differences(metric: Metric, report0: Report, report1: Report) -> list[PairDifference]:
    """Return the results of the common pairs, the largest difference first.

    Args:
        metric: Metric whose results per pair are compared.
        report0: Report 0.
        report1: Report 1.
    """
    values0, values1 = metric.values(report0.rows), metric.values(report1.rows)
    rows = [PairDifference(pair, value, values1[pair]) for pair, value in values0.items() if pair in values1]
    return sorted(rows, key=lambda row: -row.size)


def _sections(
    comparison: Comparison, report0: Report, report1: Report, viewers: PairViewers
) -> Iterator[dict[str, Any]]:
    """Yield chart, table and viewers of every result that is shown pair by pair."""
    metrics = {row.metric.value: row.metric for row in comparison.differences if row.metric.value in VALUES}
    for value, metric in metrics.items():
        rows = pair_differences(metric, report0, report1)
        differing = [row for row in rows if row.size > 0]
        cards, reason = _cards(viewers, differing[:MAX_VIEWERS], (report0, report1))
        labels = {"xlabel": f"first: {comparison.names[0]}", "ylabel": "second"}
        yield {
            "label": VALUES[value],
            "chart": scatter_chart([row.value0 for row in rows], [row.value1 for row in rows], **labels),
            "rows": [row.cells() for row in differing[:MAX_PAIRS]],
            "cards": cards,
            "reason": reason,
        }


def _cards(
    viewers: PairViewers, rows: list[PairDifference], reports: tuple[Report, Report]
) -> tuple[list[dict[str, Any]], str]:
    """Add the matches of pairs in both reports; return their cards, and why some have none ("": all have one)."""
    cards, reason = [], ""
    for row in rows:
        for label, report, value in zip(("first", "second"), reports, (row.value0, row.value1), strict=True):
            result = next(each for each in report.rows if each.pair == row.pair)
            try:
                cards.append(_card(viewers, result, f"{label}: {_formatted(value)}"))
            except InvalidInput as error:
                reason = reason or f"{label}, {row.pair}: {error}"
    return cards, reason


def _card(viewers: PairViewers, row: PairResult, text: str) -> dict[str, Any]:
    """Add the matches of a pair in one report, and describe them."""
    found = read_pair_matches(row)
    pictures = [viewers.add_picture(key, image) for key, image in zip(found.keys, found.images, strict=True)]
    estimate, homography = estimate_for_page(found.result)
    verification = found.result.verify()
    pair = viewers.add_pair(
        found.result, *pictures, estimate=estimate, homography=homography, verification=verification
    )
    return {
        "pictures": pictures,
        "pair": pair,
        "lines": [row.pair, text, f"{verification.num_inliers:,} inliers of {len(found.result):,} matches"],
    }


def _metric_cells(row: Any) -> list[str]:
    interval = f"{row.interval.low:+.3f} to {row.interval.high:+.3f}"
    return [row.metric.label, f"{row.value0:.3f}", f"{row.value1:.3f}", interval, row.conclusion]


def _formatted(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "failed"
