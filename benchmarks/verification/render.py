"""Render the pair verification part of docs/results.md, and its plot, from benchmarks/records/verification.json.

python -m benchmarks verification render           # update the page's part, and its plot
python -m benchmarks verification render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.records import Record
from benchmarks.verification.fit import brier_score, roc_auc
from benchmarks.verification.fitted import FITTED
from benchmarks.verification.pairs import MAX_PAIRS_PER_SCENE
from benchmarks.verification.predictions import Predictions, predict
from tiepoint.geometry.pair_verification import MIN_SAME_SCENE_PROBABILITY

FEATURES = ("bias", "ln(1 + inliers)", "ln(1 + inliers of the homography)", "mean score")
"""Features of the coefficients, in the order of `tiepoint.geometry.pair_verification.feature_vector`."""

FITTED_PRESETS = tuple(fitted.preset for fitted in FITTED.values())
MAIN_PRESET = "aliked+lightglue"
UNCERTAIN = (0.2, 0.8)
"""Interval of probabilities that are neither confidently positive nor confidently negative."""

Z_95 = 1.645
"""Quantile of the normal distribution for a one-sided 95 % interval."""

HEADS = (
    "preset",
    "keypoints",
    "pairs of the same scene / of two scenes",
    "true positive rate",
    "false positive rate",
    "AUC: probability",
    "inliers alone",
    "matches alone",
    "Brier score",
)

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks verification"
    record = require_record(arguments.records, "verification.json", command)
    groups = list(predict(record))

    def draw(folder: Path) -> None:
        from benchmarks.verification.plot import save_plots  # --check needs no matplotlib

        save_plots([group for group in groups if group.preset in FITTED_PRESETS], folder)

    render(arguments, "verification", paragraphs(record, groups), command=f"{command} render", draw=draw)


def paragraphs(record: Record, groups: Sequence[Predictions]) -> Iterator[str]:
    """Yield the origin, the choice of pairs, the plot, the table, failures and coefficients."""
    yield origin(record, machine=False)  # nothing depends on the speed of the machine
    if later := record["about"].get("later"):
        yield (
            "Measured later: "
            + "; ".join(f"{preset}, `{about['command']}`, {about['date']}" for preset, about in later.items())
            + "."
        )
    yield describe_halves(record)
    yield "![Left: reliability diagram. Right: ROC curves](images/verification.png)"
    yield table(HEADS, [row(group) for group in groups])
    yield describe_uncertainty(groups)
    yield from failures(groups)
    coefficients = [[matcher, *map(str, model)] for matcher, model in record["models"].items()]
    yield table(("matcher", *FEATURES), coefficients)


def describe_halves(record: Record) -> str:
    """Return the number of pairs of each kind."""
    pairs = record["pairs"]
    counts = {
        (half, same): sum(row == (half, same) for row in zip(pairs["half"], pairs["same"], strict=True))
        for half in ("fit", "test")
        for same in (True, False)
    }
    return (
        f"Fitted on {counts['fit', True]} pairs of the same scene and {counts['fit', False]} of two scenes; all metrics and "
        f"the plot are of the other half of the scenes, {counts['test', True]} and {counts['test', False]} pairs. At most "
        f"{MAX_PAIRS_PER_SCENE} pairs per scene. XFeat's coefficients are fitted on the second half and tested on the first. "
        f"A pair is classified as the same scene if its probability is at least "
        f"{MIN_SAME_SCENE_PROBABILITY}. Both labels have the same total weight."
    )


def row(group: Predictions) -> list[str]:
    """Return one row of the table."""
    counts = (statistic("num_inliers", group), statistic("num_matches", group))
    return [
        group.preset,
        str(group.keypoints),
        f"{group.labels.sum()} / {(~group.labels).sum()}",
        *(f"{100 * group.positive[chosen].mean():.1f} %" for chosen in (group.labels, ~group.labels)),
        *(f"{roc_auc(scores, group.labels):.3f}" for scores in (group.probabilities, *counts)),
        f"{brier_score(group.probabilities, group.labels):.3f}",
    ]


def describe_uncertainty(groups: Sequence[Predictions]) -> str:
    """Return the limits of these numbers of pairs, and where the number of matches alone ranks pairs as well."""
    main_group = next(group for group in groups if group.preset == MAIN_PRESET)
    num_negatives = int((~main_group.labels).sum())
    false_positives = int((main_group.positive & ~main_group.labels).sum())
    fitted = np.concatenate([group.probabilities for group in groups if group.preset in FITTED_PRESETS])
    num_uncertain = int(((fitted > UNCERTAIN[0]) & (fitted < UNCERTAIN[1])).sum())
    not_better = [
        f"{group.preset} ({group.keypoints})"
        for group in groups
        if roc_auc(group.probabilities, group.labels)
        <= roc_auc(statistic("num_matches", group), group.labels)
    ]
    return (
        f"{false_positives} false positives of {MAIN_PRESET} among {num_negatives} pairs of two scenes are compatible with a "
        f"false positive rate of up to {100 * upper_bound(false_positives, num_negatives):.0f} % (95 % confidence). Only "
        f"{num_uncertain} of the {len(fitted)} probabilities in the plot are between {UNCERTAIN[0]} and {UNCERTAIN[1]}, so that "
        "this part of its curves has few pairs. The number of matches alone ranks pairs at least as well for: "
        f"{', '.join(not_better) or 'none'}; there the benefit is a probability with the same meaning for every number of "
        "keypoints."
    )


def upper_bound(count: int, total: int) -> float:
    """Return the upper end of Wilson's one-sided 95 % interval of a proportion."""
    proportion = count / total
    center = proportion + Z_95**2 / (2 * total)
    margin = Z_95 * np.sqrt(proportion * (1 - proportion) / total + Z_95**2 / (4 * total**2))
    return float((center + margin) / (1 + Z_95**2 / total))


def statistic(name: str, group: Predictions) -> np.ndarray:
    """Return one statistic of each pair."""
    return np.array([getattr(statistics, name) for statistics in group.statistics], dtype=float)


def failures(groups: Sequence[Predictions]) -> Iterator[str]:
    """Yield the misclassified pairs of the main preset."""
    for group in groups:
        if group.preset == MAIN_PRESET:
            false_negatives = list_pairs(group, group.labels & ~group.positive)
            false_positives = list_pairs(group, ~group.labels & group.positive)
            yield (
                f"{group.preset} with {group.keypoints} keypoints, false negatives: {false_negatives}. "
                f"False positives: {false_positives}."
            )


def list_pairs(group: Predictions, chosen: np.ndarray) -> str:
    """Return names of pairs with their probabilities."""
    names = [f"{group.names[pair]} ({group.probabilities[pair]:.2f})" for pair in np.flatnonzero(chosen)]
    return ", ".join(names) or "none"
