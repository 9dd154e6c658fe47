"""Evaluate interpolated weights for the small preset: fractions of the trained weights between 0 and 1.

    python -m benchmarks training interpolation     # after part d of the training benchmark; 20 min on two cores

Each interpolation of the published and the trained weights is evaluated twice. On homographic warps of held-out images:
precision and recall against ground truth. On pairs of different images of the training folder (next frames of a street,
images of a drone, facades), without ground truth: agreement with the matches of all nine published layers. The selected
fraction is best on warps among those that lose at most `MAX_LOSS` on different images, which training on warps alone
makes the student forget (docs/log.md).

Writes benchmarks/records/small_preset.json; `python -m benchmarks training render` updates docs/results.md.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean

from rich.console import Console

import tiepoint
from benchmarks.images import Pair
from benchmarks.paths import PHOTOS
from benchmarks.records import Record, about, add_records_argument, write_record
from benchmarks.training.metrics import PROTOCOL, PUBLISHED, extractor_of, held_out, lightglue
from benchmarks.training.small_preset import TRAINED, interpolate
from tiepoint.bench import torch_threads
from tiepoint.image.listing import find_images
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.recognition import build
from tiepoint.training.validation import network_matcher, validate

RECORD = "small_preset.json"
NUM_THREADS = 2
NUM_LAYERS = 2
FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
MAX_LOSS = 0.005
"""Maximum loss of F-measure on different images."""

SERIES = (("camvid", 1, 2), ("camvid", 3, 2), ("semantic_drone", 1, 3), ("facades_spb", 1, 3))
"""Prefix of image names, distance of the two images of a pair in the series, and stride of the pairs."""

MAX_PAIRS = 25
"""Maximum number of candidate pairs per row of `SERIES`."""

MIN_INLIERS, MIN_INLIER_RATIO = 15, 0.4
"""Minimum inliers of the published matcher's matches for a pair to show the same scene."""

console = Console(stderr=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trained", type=Path, default=TRAINED, help="Folder of the trained matcher.")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="Folder with train/ and val/.")
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Evaluate each fraction and write the record."""
    with torch_threads(NUM_THREADS):
        evaluate(arguments)


def evaluate(arguments: argparse.Namespace) -> None:
    """Evaluate each fraction and write the record, with the current number of threads."""
    network = lightglue(PUBLISHED).network
    published = network.truncated(NUM_LAYERS).state_dict()
    trained = lightglue(arguments.trained).network.state_dict()
    warps = held_out(arguments.photos / "val", arguments.trained.parent / "held-out", extractor_of(PUBLISHED))
    pairs = same_scene_pairs(arguments.photos / "train")
    teacher = [matches_of(network, pair) for pair in pairs]
    rows = []
    for fraction in FRACTIONS:
        student = build(interpolate(published, trained, fraction)).eval()
        metrics = validate(network_matcher(student, PROTOCOL), warps, PROTOCOL).to_dict()
        rows.append({"share": fraction, "views": metrics, **agreement(student, pairs, teacher)})
        console.print(rows[-1])
    record = {
        "about": about(runs=1) | {"pairs": len(pairs), "teacher_matches": fmean(map(len, teacher))},
        "rows": rows,
        "share": select_fraction(rows),
    }
    write_record(arguments.records, RECORD, record)


def same_scene_pairs(photos: Path) -> list[Pair]:
    """Return features of pairs of different images with enough inliers of the published matcher."""
    matcher = tiepoint.load(PUBLISHED, device="cpu")
    features = cache(matcher.extract)
    candidates = ((features(path0), features(path1)) for path0, path1 in series_pairs(find_images(photos)))
    return [pair for pair in candidates if has_inliers(matcher.match_features([pair])[0])]


def series_pairs(images: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each image and a later one of the same series, according to `SERIES`."""
    for prefix, distance, stride in SERIES:
        series = [path for path in images if path.name.startswith(prefix)]
        pairs = zip(series, series[distance:], strict=False)
        yield from islice(pairs, 0, stride * MAX_PAIRS, stride)


def has_inliers(result: tiepoint.MatchResult) -> bool:
    """Return whether enough matches are inliers of a fundamental matrix."""
    if len(result) < MIN_INLIERS:
        return False
    num_inliers = tiepoint.estimate_fundamental(result, max_error_px=3.0).num_inliers
    return num_inliers >= max(MIN_INLIERS, MIN_INLIER_RATIO * len(result))


def matches_of(network: LightGlue, pair: Pair) -> set[tuple[int, int]]:
    """Return the matches of all layers."""
    (assignment,) = network_matcher(network, PROTOCOL).match([pair])
    return {(index0, index1) for index0, index1 in assignment.matches.tolist()}


def agreement(
    network: LightGlue, pairs: Sequence[Pair], teacher: Sequence[set[tuple[int, int]]]
) -> dict[str, float]:
    """Return mean precision and recall with the teacher's matches as ground truth, and the mean number of matches."""
    student = [matches_of(network, pair) for pair in pairs]
    common = [len(ours & theirs) for ours, theirs in zip(student, teacher, strict=True)]
    return {
        "precision": fmean(n / max(1, len(ours)) for n, ours in zip(common, student, strict=True)),
        "recall": fmean(n / max(1, len(theirs)) for n, theirs in zip(common, teacher, strict=True)),
        "matches": fmean(map(len, student)),
    }


def select_fraction(rows: Sequence[Record]) -> float:
    """Return the best fraction on warps among those that lose at most `MAX_LOSS` on different images."""
    untrained = next(f_measure(row) for row in rows if row["share"] == 0)
    accepted = [row for row in rows if f_measure(row) >= untrained - MAX_LOSS]
    return max(accepted, key=lambda row: f_measure(row["views"]))["share"]


def f_measure(metrics: Record) -> float:
    """Return the harmonic mean of precision and recall."""
    precision, recall = metrics["precision"], metrics["recall"]
    return 2 * precision * recall / max(precision + recall, 1e-9)
