"""Measure the recall of image retrieval: the fraction of true pairs that are selected without matching all pairs.

    python -m benchmarks pairs            # all images with ground truth, default preset: 15 min
    python -m benchmarks pairs --quick    # small images, few keypoints, written to build/: a smoke test

The images of all sets are one collection, so that each scene has the others as distractors. True pairs are those of
pairs.jsonl; for sets without them, pairs with enough inliers of a fundamental matrix. Features and matches are kept in
--store. Writes benchmarks/records/retrieval.json; `python -m benchmarks pairs render` updates docs/results.md.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks.paths import BUILD, DATA
from benchmarks.records import Record, about, add_quick_argument, add_records_argument, write_record
from tiepoint import Matcher, estimate_fundamental, load
from tiepoint.collection.images import ImageRecord, read_image_record
from tiepoint.collection.pairs.selection import PairSelection, select_pairs
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record
from tiepoint.image.listing import find_images
from tiepoint.io.batching import batched
from tiepoint.types import Features

RECORD = "retrieval.json"
NEIGHBORS = (5, 10, 20)
VERIFIED_SETS = "sceaux_castle,opensfm_lund"
MIN_INLIERS = 30
MAX_ERROR_PX = 4.0
SHARD_SIZE = 16
SETTINGS, QUICK_SETTINGS = (
    {"resize": 1024, "max_keypoints": 2048},
    {"resize": 320, "max_keypoints": 256},
)

console = Console(stderr=True)


@dataclass(frozen=True)
class TruePairs:
    """Pairs of one set that show the same scene.

    Attributes:
        name: Name of the set.
        source: "ground truth" or "verified matches".
        pairs: Pairs of image names, sorted within each pair.
    """

    name: str
    source: str
    pairs: frozenset[tuple[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument("--store", type=Path, default=BUILD / "retrieval", help="Folder of features.")
    parser.add_argument(
        "--verified", default=VERIFIED_SETS, help="Sets whose true pairs are those with enough inliers."
    )
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Extract, retrieve, compare, write the record."""
    settings = QUICK_SETTINGS if arguments.quick else SETTINGS
    folder = BUILD / "retrieval-quick" if arguments.quick else arguments.store
    features = StoredFeatures(
        load(device="cpu", **settings),
        Store(folder, {"preset": "aliked+lightglue", **settings}),
        arguments.data,
    )
    listed = list(read_true_pairs(arguments.data))
    verified = [features.verified_pairs(name) for name in arguments.verified.split(",")]
    truths = [*listed, *verified]
    images = features.extract({name for truth in truths for pair in truth.pairs for name in pair})
    record = {
        "about": about(runs=1),
        "settings": settings | {"min_inliers": MIN_INLIERS, "max_error_px": MAX_ERROR_PX},
        "images": len(images),
        "rows": [row for count in NEIGHBORS for row in measure_recall(count, images, truths, features)],
    }
    write_record(folder if arguments.quick else arguments.records, RECORD, record)


class StoredFeatures:
    """Features and inlier counts of images, computed once and kept in a store."""

    def __init__(self, matcher: Matcher, store: Store, data: Path) -> None:
        self.matcher, self.store, self.data = matcher, store, data

    def extract(self, names: set[str]) -> tuple[ImageRecord, ...]:
        """Return images by name, after extracting missing features."""
        images = tuple(read_image_record(self.data / name, name) for name in sorted(names))
        by_key = {image.key: image for image in images}
        missing = self.store.missing("features", by_key)
        for number, keys in enumerate(batched(missing, SHARD_SIZE)):
            features = {key: self.matcher.extract(by_key[key].path) for key in keys}
            self.store.write("features", {key: features_to_record(f) for key, f in features.items()})
            console.print(f"{number * SHARD_SIZE + len(keys)} of {len(missing)} images extracted")
        return images

    def read(self, image: ImageRecord) -> Features:
        """Read the features of an image."""
        return features_from_record(self.store.read("features", image.key))

    def verified_pairs(self, name: str) -> TruePairs:
        """Match all pairs of a set, and return those with enough inliers of a fundamental matrix."""
        paths = find_images(self.data / name / "images")
        images = self.extract({path.relative_to(self.data).as_posix() for path in paths})
        pairs = {
            pair_key((image0.key, image1.key)): (image0, image1) for image0, image1 in combinations(images, 2)
        }
        missing = self.store.missing("inliers", pairs)
        for number, keys in enumerate(batched(missing, SHARD_SIZE)):
            self._count_inliers({key: pairs[key] for key in keys})
            console.print(f"{name}: {number * SHARD_SIZE + len(keys)} of {len(missing)} pairs matched")
        counts = {key: self.store.read("inliers", key)["count"] for key in pairs}
        verified = frozenset(
            sort_names(image0.name, image1.name)
            for key, (image0, image1) in pairs.items()
            if counts[key] >= MIN_INLIERS
        )
        return TruePairs(name, "verified matches", verified)

    def _count_inliers(self, pairs: dict[str, tuple[ImageRecord, ImageRecord]]) -> None:
        features = {image.key: self.read(image) for pair in pairs.values() for image in pair}
        results = self.matcher.match_features(
            [(features[image0.key], features[image1.key]) for image0, image1 in pairs.values()]
        )
        estimates = [estimate_fundamental(result, max_error_px=MAX_ERROR_PX) for result in results]
        counts = [{"count": estimate.num_inliers} for estimate in estimates]
        self.store.write("inliers", dict(zip(pairs, counts, strict=True)))


def read_true_pairs(data: Path) -> Iterator[TruePairs]:
    """Yield the pairs of each set of pairs.jsonl."""
    rows = [json.loads(line) for line in (data / "pairs.jsonl").read_text().splitlines()]
    for name in dict.fromkeys(row["set"] for row in rows):
        pairs = frozenset(sort_names(row["a"], row["b"]) for row in rows if row["set"] == name)
        yield TruePairs(name, "ground truth", pairs)


def sort_names(name0: str, name1: str) -> tuple[str, str]:
    """Return a pair of names in sorted order."""
    return min(name0, name1), max(name0, name1)


def measure_recall(
    count: int, images: tuple[ImageRecord, ...], truths: Sequence[TruePairs], features: StoredFeatures
) -> Iterator[Record]:
    """Yield the recall of each set among the pairs selected by retrieval."""
    start = perf_counter()
    by_name = {image.name: image for image in images}
    selection = PairSelection("retrieval", str(count))
    pairs = select_pairs(selection, images, read_features=lambda name: features.read(by_name[name]))
    seconds = perf_counter() - start
    selected = {sort_names(*pair) for pair in pairs}
    for truth in truths:
        num_found = len(truth.pairs & selected)
        yield {
            "neighbors": count,
            "set": truth.name,
            "source": truth.source,
            "true_pairs": len(truth.pairs),
            "found": num_found,
            "chosen": len(selected),
            "seconds": seconds,
        }
        console.print(f"{count} neighbors, {truth.name}: {num_found} of {len(truth.pairs)}", highlight=False)
