"""How much of the trained weights the small preset should have: shares between none and all, on what no test set holds.

    .venv/bin/python benchmarks/small_preset_share.py     # after part d of benchmarks/training.py; 20 min on two cores

Two questions are asked of every mean of the published and the trained weights. On views of held-out photographs: how many
matches are right? On pairs of different photographs of the training folder (the next frames of a street, a drone's
photographs, fronts of houses), whose truth nobody knows: how many matches are those of all nine published layers?
The share to take does best on views among those that lose at most `MAX_LOSS` on different photographs, where
training on views alone makes the student forget (docs/log.md).

Writes benchmarks/records/small_preset.json; benchmarks/render_training.py makes the page.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

import tiepoint
from photographs import Pair
from small_preset import ROOT, between
from tiepoint.bench import torch_threads
from tiepoint.image.listing import find_images
from tiepoint.models.lightglue.checkpoint import build
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.validation import network_matcher, validate
from timing import RECORDS, about
from training_measures import PROTOCOL, PUBLISHED, extractor_of, held_out, lightglue

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
MAX_LOSS = 0.005
"""Of the F-measure; half a point."""

FOLLOWING = (("camvid", 1, 2), ("camvid", 3, 2), ("semantic_drone", 1, 3), ("facades_spb", 1, 3))
"""Photographs whose names begin so, each with the one so many places on; every n-th of these pairs."""
MOST = 25
"""Pairs tried, of each row of `FOLLOWING`."""
LEAST_INLIERS, LEAST_INLIER_SHARE = 15, 0.4
"""Of the published matcher's matches, for a pair to show the same place."""

console = Console(stderr=True)


def main() -> None:
    """Measure every share, and write the record."""
    arguments = parse()
    published = lightglue(PUBLISHED).network
    begin = published.truncated(2)
    end = lightglue(arguments.trained).network
    views = held_out(arguments.photos / "val", arguments.trained.parent / "held-out", extractor_of(PUBLISHED))
    pairs = pairs_of_a_place(arguments.photos / "train")
    teacher = [matches_of(published, pair) for pair in pairs]
    rows = []
    for share in SHARES:
        network = build(between(begin.state_dict(), end.state_dict(), share)).eval()
        figures = validate(network_matcher(network, PROTOCOL), views, PROTOCOL).to_dict()
        rows.append({"share": share, "views": figures, **agreement(network, pairs, teacher)})
        console.print(rows[-1])
    record = {
        "about": about(runs=1) | {"pairs": len(pairs), "teacher_matches": fmean(map(len, teacher))},
        "rows": rows,
        "share": chosen(rows),
    }
    (arguments.records / "small_preset.json").write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trained", type=Path, default=ROOT / "build" / "training" / "d", help="the folder")
    parser.add_argument(
        "--photos", type=Path, default=ROOT.parent / "shared" / "photos", help="with train/, val/"
    )
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder for small_preset.json")
    return parser.parse_args()


def pairs_of_a_place(photos: Path) -> list[Pair]:
    """Features of pairs of different photographs that the published matcher says show the same place."""
    matcher = tiepoint.load(PUBLISHED, device="cpu")
    features = cache(matcher.extract)
    candidates = ((features(path0), features(path1)) for path0, path1 in following(find_images(photos)))
    return [pair for pair in candidates if of_a_place(matcher.match_features([pair])[0])]


def following(photographs: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Each photograph and one that comes after it, by `FOLLOWING`."""
    for prefix, places, every in FOLLOWING:
        series = [path for path in photographs if path.name.startswith(prefix)]
        yield from islice(zip(series, series[places:], strict=False), 0, every * MOST, every)


def of_a_place(result: tiepoint.MatchResult) -> bool:
    """Whether enough matches fit one fundamental matrix."""
    if len(result) < LEAST_INLIERS:
        return False
    inliers = tiepoint.estimate_fundamental(result, max_error_px=3.0).num_inliers
    return inliers >= max(LEAST_INLIERS, LEAST_INLIER_SHARE * len(result))


def matches_of(network: LightGlue, pair: Pair) -> set[tuple[int, int]]:
    """With all layers."""
    (found,) = network_matcher(network, PROTOCOL).match([pair])
    return {(first, second) for first, second in found.matches.tolist()}


def agreement(
    network: LightGlue, pairs: Sequence[Pair], teacher: Sequence[set[tuple[int, int]]]
) -> dict[str, float]:
    """Means over pairs: which share of the matches the teacher has too, which share of the teacher's is found."""
    found = [matches_of(network, pair) for pair in pairs]
    both = [len(ours & theirs) for ours, theirs in zip(found, teacher, strict=True)]
    return {
        "precision": fmean(n / max(1, len(ours)) for n, ours in zip(both, found, strict=True)),
        "recall": fmean(n / max(1, len(theirs)) for n, theirs in zip(both, teacher, strict=True)),
        "matches": fmean(map(len, found)),
    }


def chosen(rows: Sequence[dict[str, Any]]) -> float:
    """The share that does best on views among those that lose at most `MAX_LOSS` on different photographs."""
    without_training = next(f_measure(row) for row in rows if row["share"] == 0)
    good_enough = [row for row in rows if f_measure(row) >= without_training - MAX_LOSS]
    return max(good_enough, key=lambda row: f_measure(row["views"]))["share"]


def f_measure(figures: dict[str, Any]) -> float:
    """Harmonic mean of precision and recall."""
    precision, recall = figures["precision"], figures["recall"]
    return 2 * precision * recall / max(precision + recall, 1e-9)


if __name__ == "__main__":
    with torch_threads(2):
        main()
