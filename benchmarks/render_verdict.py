"""Write the part about verdicts of docs/results.md, and its plot, from benchmarks/records/verdict.json.

.venv/bin/python benchmarks/render_verdict.py           # rewrite the page's part about verdicts, and its plot
.venv/bin/python benchmarks/render_verdict.py --check   # exit 1 if the page isn't what the record says
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pages import parse, render, table
from tiepoint.geometry.pair_verification import MIN_SAME_SCENE_PROBABILITY
from verdict_fit import area, brier
from verdict_pairs import MOST_A_PLACE
from verdict_said import Said, said_of

COLUMNS = ("bias", "ln(1 + inliers)", "ln(1 + inliers of the homography)", "mean score")
"""What the coefficients are of, in the order of `tiepoint.geometry.pair_verification.feature_vector`."""

FITTED = ("aliked+lightglue", "aliked+nearest")
MAIN = "aliked+lightglue"
BETWEEN = (0.2, 0.8)
"""Neither sure nor sure of the contrary."""

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    record = json.loads((arguments.records / "verdict.json").read_text())
    groups = list(said_of(record))

    def draw(folder: Path) -> None:
        from plots_verdict import save_plots  # --check needs no matplotlib

        save_plots([group for group in groups if group.preset in FITTED], folder)

    render(arguments, "verdict", sections(record, groups), again="benchmarks/render_verdict.py", draw=draw)


def sections(record: Record, groups: Sequence[Said]) -> Iterator[str]:
    """Origin, how pairs were chosen, plot, table, what went wrong, coefficients."""
    yield origin(record["about"])
    yield halves(record)
    yield (
        "![Left: what was said against what is so. Right: same places found against different ones taken for the same]"
        + ("(images/verdict.png)")
    )
    yield table(
        (
            "preset",
            "keypoints",
            "pairs of one place / of two",
            "same places found",
            "different ones taken for the same",
            "AUC: verdict",
            "inliers alone",
            "matches alone",
            "Brier score",
        ),
        [row(group) for group in groups],
    )
    yield certainty(groups)
    yield from wrong(groups)
    yield table(("matcher", *COLUMNS), [[name, *map(str, model)] for name, model in record["models"].items()])


def origin(about: Record) -> str:
    """The command, day and versions; nothing here depends on how fast the machine is."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return f"`{about['command']}`, {about['date']}; {versions}."


def halves(record: Record) -> str:
    """How many pairs there are of each kind."""
    pairs = record["pairs"]
    counts = {
        (half, same): sum(row == (half, same) for row in zip(pairs["half"], pairs["same"], strict=True))
        for half in ("fit", "test")
        for same in (True, False)
    }
    return (
        f"Fitted on {counts['fit', True]} pairs of one place and {counts['fit', False]} of two; all figures and the plot are of "
        f"the other half of the places, {counts['test', True]} and {counts['test', False]} pairs. At most {MOST_A_PLACE} pairs a "
        f"place. A pair is taken for the same place from a probability of {MIN_SAME_SCENE_PROBABILITY} on. Both kinds count half, whatever "
        "their number."
    )


def row(group: Said) -> list[str]:
    """One line of the table."""
    counts = (number_of(name, group) for name in ("num_inliers", "num_matches"))
    return [
        group.preset,
        str(group.keypoints),
        f"{group.same.sum()} / {(~group.same).sum()}",
        *(f"{100 * group.yes[chosen].mean():.1f} %" for chosen in (group.same, ~group.same)),
        *(f"{area(scores, group.same):.3f}" for scores in (group.said, *counts)),
        f"{brier(group.said, group.same):.3f}",
    ]


def certainty(groups: Sequence[Said]) -> str:
    """What these numbers of pairs can't tell, and where the order is no better than the plain count of matches."""
    (main, *_) = (group for group in groups if group.preset == MAIN)
    different, mistaken = main.said[~main.same], int((main.yes & ~main.same).sum())
    fitted = np.concatenate([group.said for group in groups if group.preset in FITTED])
    between = int(((fitted > BETWEEN[0]) & (fitted < BETWEEN[1])).sum())
    plain = [
        f"{group.preset} ({group.keypoints})"
        for group in groups
        if area(group.said, group.same) <= area(number_of("num_matches", group), group.same)
    ]
    return (
        f"{mistaken} of {len(different)} different pairs taken for the same by {MAIN} allow up to "
        f"{100 * at_most(mistaken, len(different)):.0f} % with a confidence of 95 %. Only {between} of the {len(fitted)} probabilities in the "
        f"plot lie between {BETWEEN[0]} and {BETWEEN[1]}: there its line is drawn through few pairs. The verdict orders pairs "
        f"no better than their number of matches does for: {', '.join(plain) or 'none'}; what it adds there is a "
        "probability that means the same whatever the number of keypoints."
    )


def at_most(count: int, total: int) -> float:
    """The upper end of Wilson's one-sided interval of 95 % for a share."""
    z, share = 1.645, count / total
    center, spread = (
        share + z**2 / (2 * total),
        z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)),
    )
    return float((center + spread) / (1 + z**2 / total))


def number_of(name: str, group: Said) -> np.ndarray:
    """One number of the evidence of each pair."""
    return np.array([getattr(evidence, name) for evidence in group.evidence], dtype=float)


def wrong(groups: Sequence[Said]) -> Iterator[str]:
    """Names of the pairs of the main preset that were judged wrongly."""
    for group in groups:
        if group.preset == MAIN:
            missed = names(group, group.same & ~group.yes)
            mistaken = names(group, ~group.same & group.yes)
            yield (
                f"{group.preset} with {group.keypoints} keypoints doesn't see that these show one place: {missed}. "
                f"It takes for the same what isn't: {mistaken}."
            )


def names(group: Said, chosen: np.ndarray) -> str:
    """With the probability."""
    picked = [f"{group.names[place]} ({group.said[place]:.2f})" for place in np.flatnonzero(chosen)]
    return ", ".join(picked) or "none"


if __name__ == "__main__":
    main()
