"""Match pairs as they are, and with a search over views; interrupted runs resume.

    python -m benchmarks views                          # all pairs with ground truth, and 500 of different scenes
    python -m benchmarks views --sets oxford_affine kusvod2 wxbs --negatives 0
    python -m benchmarks views --limit 20 --negatives 40

Each pair is matched as it is, and the search continues from these matches, so both are of one run: the time of the
search is added to that of the pair. A pair that verifies at once pays the verification. Every row is appended to
build/bench/views-PRESET-VIEWS.jsonl; the record is written when all are there.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

import tiepoint
from benchmarks.paths import DATA
from benchmarks.records import about, add_quick_argument, add_records_argument, write_record
from benchmarks.summary.runs import read
from benchmarks.verification.pairs import labeled_pairs
from tiepoint.evaluation.datasets.pairs_jsonl import read_pairs_jsonl
from tiepoint.evaluation.evaluate import subsample
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.evaluation.score import score_pair
from tiepoint.matcher import Matcher
from tiepoint.matching.view_search import ViewSearch
from tiepoint.matching.views.view_match import ViewMatch

RECORD = "views.json"
JOURNALS = Path("build/bench")
SETS = (
    "oxford_affine",
    "kusvod2",
    "wxbs",
    "strecha",
    "lund_door12",
    "templeRing47",
    "edge_foci",
    "scannet15",
)
PROTOCOL = PROTOCOLS["tiepoint"]
VALUES = ("corner_error_px", "pose_error_deg", "marked_maa")


@dataclass(frozen=True)
class Item:
    """A pair to match.

    Attributes:
        dataset: Name of its data set; "different" for images of different scenes.
        pair: The pair.
    """

    dataset: str
    pair: EvaluationPair

    @property
    def is_same(self) -> bool:
        """Whether the images show the same scene."""
        return self.dataset != "different"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="default", help="Preset.")
    parser.add_argument("--views", default="rotation", help="Search over views.")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="Data sets of pairs.jsonl.")
    parser.add_argument("--negatives", type=int, default=500, help="Number of pairs of different scenes.")
    parser.add_argument("--limit", type=int, default=None, help="Maximum number of pairs per data set.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure the pairs that the journal does not have yet, and write the record."""
    torch.set_num_threads(1)
    journal = JOURNALS / f"views-{arguments.preset}-{arguments.views}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    chosen = list(items(arguments))
    known = {(row["set"], row["pair"]) for row in read_journal(journal)}
    matcher = tiepoint.load(arguments.preset, views=arguments.views)
    search = ViewSearch(matcher.extractor, matcher.matcher, views=arguments.views)
    with journal.open("a", encoding="utf-8") as lines:
        for item in chosen:
            if (item.dataset, item.pair.name) not in known:
                lines.write(json.dumps(measure_pair(item, matcher, search)) + "\n")
                lines.flush()
    names = {(item.dataset, item.pair.name) for item in chosen}
    rows = [row for row in read_journal(journal) if (row["set"], row["pair"]) in names]
    record = {"about": about(runs=1), "preset": arguments.preset, "views": arguments.views, "pairs": rows}
    write_record(arguments.records, RECORD, record)


def items(arguments: argparse.Namespace) -> Iterator[Item]:
    """Yield the chosen pairs with ground truth, and pairs of different scenes."""
    limit = 1 if arguments.quick else arguments.limit
    for name in arguments.sets:
        for pair in subsample(read_pairs_jsonl(f"{DATA / 'pairs.jsonl'}#{name}"), limit).pairs:
            yield Item(name, pair)
    count = min(arguments.negatives, 2) if arguments.quick else arguments.negatives
    different = [labeled.pair for labeled in labeled_pairs(DATA, count) if not labeled.same] if count else []
    for pair in different[:count]:
        yield Item("different", pair)


def read_journal(path: Path) -> Sequence[dict[str, Any]]:
    """Return the rows that were written so far."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measure_pair(item: Item, matcher: Matcher, search: ViewSearch) -> dict[str, Any]:
    """Match a pair as it is, search its views, and score both."""
    pair = item.pair
    images = read(pair.image0, pair.num_rotations0), read(pair.image1, pair.num_rotations1)
    start = perf_counter()
    features0, features1 = (matcher.extractor.extract(image) for image in images)
    (assignment,) = matcher.matcher.match([(features0, features1)])
    plain = ViewMatch(features0=features0, features1=features1, assignment=assignment)
    seconds = perf_counter() - start
    start = perf_counter()
    found = plain
    if search.is_needed(plain):
        found = search.search(plain, *(search.open(image, None) for image in images))
    seconds_views = perf_counter() - start
    row: dict[str, Any] = {
        "set": item.dataset,
        "pair": pair.name,
        "same": item.is_same,
        "seconds": seconds,
        "seconds_views": seconds_views,
        "views_tried": found.num_views,
        "rotations": [found.view0.rotation, found.view1.rotation],
        "scale": found.scale,
        "tilt": found.tilt,
        "plain": describe(item, plain),
        "found": describe(item, found),
    }
    print(json.dumps(row), flush=True)
    return row


def describe(item: Item, match: ViewMatch) -> dict[str, Any]:
    """Return the verification of matches, and their value against the ground truth (None for a failure)."""
    verification = match.verification
    row: dict[str, Any] = {
        "matches": len(match.assignment.matches),
        "inliers": verification.num_inliers,
        "probability": verification.probability,
    }
    if not item.is_same:
        return row
    features0, features1 = match.features0, match.features1
    matched = MatchedPair(
        keypoints0=features0.keypoints.double().numpy(),
        keypoints1=features1.keypoints.double().numpy(),
        matches=match.assignment.matches.numpy(),
        scores=match.assignment.scores.numpy(),
        image_size0=features0.image_size,
        image_size1=features1.image_size,
        seconds={},
    )
    values = score_pair(item.pair, matched, PROTOCOL.setup(PROTOCOL.family("", item.pair.truth))).values
    value = next((values[name] for name in VALUES if name in values), None)
    return row | {"value": None if value == float("inf") else value}
