"""Retrieval: how many of the pairs that show the same place are chosen, without matching all with all.

    .venv/bin/python benchmarks/retrieval.py            # every photograph with ground truth, default preset: 15 min
    .venv/bin/python benchmarks/retrieval.py --quick    # small images, few keypoints, written to build/: still working?

The photographs of all sets are one collection, so every scene has the others as distractors. True pairs are those of
pairs.jsonl; where a set has none there, they are the pairs of which enough matches agree with a fundamental matrix.
Features and matches stay in --store. Writes benchmarks/records/retrieval.json; benchmarks/render_pairs.py makes the
page.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tiepoint import Matcher, estimate_fundamental, load
from tiepoint.collection.images import ImageRecord, read_image_record
from tiepoint.collection.pairs.selection import PairSelection, select_pairs
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record
from tiepoint.image.listing import find_images
from tiepoint.types import Features
from timing import RECORDS, about

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
NEIGHBORS = (5, 10, 20)
VERIFIED_SETS = "sceaux_castle,opensfm_lund"
MIN_INLIERS = 30
MAX_ERROR_PX = 4.0
SHARD = 16

console = Console(stderr=True)


@dataclass(frozen=True)
class Truth:
    """Pairs of one set that show the same place."""

    name: str
    source: str
    pairs: frozenset[tuple[str, str]]


def main() -> None:
    """Extract, retrieve, compare, write the record."""
    arguments = parse()
    settings = (
        {"resize": 320, "max_keypoints": 256} if arguments.quick else {"resize": 1024, "max_keypoints": 2048}
    )
    folder = (ROOT / "build" / "retrieval-quick") if arguments.quick else arguments.store
    work = Work(
        load(device="cpu", **settings),
        Store(folder, {"preset": "aliked+lightglue", **settings}),
        arguments.data,
    )
    truths = [*listed(arguments.data), *(work.geometry(name) for name in arguments.verified.split(","))]
    photographs = work.extracted({name for truth in truths for pair in truth.pairs for name in pair})
    rows = [row for count in NEIGHBORS for row in evaluated(count, photographs, truths, work)]
    record = {
        "about": about(runs=1),
        "settings": settings | {"min_inliers": MIN_INLIERS, "max_error_px": MAX_ERROR_PX},
        "photographs": len(photographs),
        "rows": rows,
    }
    records = folder if arguments.quick else arguments.records
    records.mkdir(parents=True, exist_ok=True)
    (records / "retrieval.json").write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with pairs.jsonl")
    parser.add_argument(
        "--store", type=Path, default=ROOT / "build" / "retrieval", help="where features stay"
    )
    parser.add_argument(
        "--verified", default=VERIFIED_SETS, help="sets whose true pairs are verified matches"
    )
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder for retrieval.json")
    parser.add_argument("--quick", action="store_true", help="small images: does it still work?")
    return parser.parse_args()


class Work:
    """What is extracted and matched once, and kept."""

    def __init__(self, matcher: Matcher, store: Store, data: Path) -> None:
        self.matcher, self.store, self.data = matcher, store, data

    def extracted(self, names: set[str]) -> tuple[ImageRecord, ...]:
        """Photographs by name, with features in the store."""
        photographs = tuple(read_image_record(self.data / name, name) for name in sorted(names))
        by_key = {photograph.key: photograph for photograph in photographs}
        missing = self.store.missing("features", by_key)
        for start in range(0, len(missing), SHARD):
            some = {key: self.matcher.extract(by_key[key].path) for key in missing[start : start + SHARD]}
            self.store.write("features", {key: features_to_record(found) for key, found in some.items()})
            console.print(f"{start + len(some)} of {len(missing)} photographs extracted")
        return photographs

    def features(self, photograph: ImageRecord) -> Features:
        """As the store has them."""
        return features_from_record(self.store.read("features", photograph.key))

    def verified(self, name: str) -> Truth:
        """The pairs of a set of which enough matches agree with a fundamental matrix, out of all pairs."""
        found = find_images(self.data / name / "images")
        photographs = self.extracted({path.relative_to(self.data).as_posix() for path in found})
        pairs = {pair_key((p0.key, p1.key)): (p0, p1) for p0, p1 in combinations(photographs, 2)}
        missing = self.store.missing("inliers", pairs)
        for start in range(0, len(missing), SHARD):
            self._count_inliers({key: pairs[key] for key in missing[start : start + SHARD]})
            console.print(f"{name}: {start} of {len(missing)} pairs matched")
        inliers = {key: self.store.read("inliers", key)["count"] for key in pairs}
        true = frozenset(
            ordered(p0.name, p1.name) for key, (p0, p1) in pairs.items() if inliers[key] >= MIN_INLIERS
        )
        return Truth(name, "verified matches", true)

    def _count_inliers(self, pairs: dict[str, tuple[ImageRecord, ImageRecord]]) -> None:
        features = {p.key: self.features(p) for pair in pairs.values() for p in pair}
        results = self.matcher.match_features(
            [(features[p0.key], features[p1.key]) for p0, p1 in pairs.values()]
        )
        estimates = [estimate_fundamental(result, max_error_px=MAX_ERROR_PX) for result in results]
        counts = [{"count": estimate.num_inliers} for estimate in estimates]
        self.store.write("inliers", dict(zip(pairs, counts, strict=True)))


def listed(data: Path) -> Iterator[Truth]:
    """Sets of pairs.jsonl."""
    rows = [json.loads(line) for line in (data / "pairs.jsonl").read_text().splitlines()]
    for name in dict.fromkeys(row["set"] for row in rows):
        pairs = frozenset(ordered(row["a"], row["b"]) for row in rows if row["set"] == name)
        yield Truth(name, "ground truth", pairs)


def ordered(name0: str, name1: str) -> tuple[str, str]:
    """The same pair, whichever comes first."""
    return min(name0, name1), max(name0, name1)


def evaluated(
    count: int, photographs: tuple[ImageRecord, ...], truths: Sequence[Truth], work: Work
) -> Iterator[dict[str, Any]]:
    """Recall of every set among the pairs that retrieval chooses."""
    start = perf_counter()
    by_name = {photograph.name: photograph for photograph in photographs}
    choice = PairSelection("retrieval", str(count))
    pairs = select_pairs(choice, photographs, read_features=lambda name: work.features(by_name[name]))
    seconds = perf_counter() - start
    chosen = {ordered(*pair) for pair in pairs}
    for truth in truths:
        found = len(truth.pairs & chosen)
        yield {
            "neighbors": count,
            "set": truth.name,
            "source": truth.source,
            "true_pairs": len(truth.pairs),
            "found": found,
            "chosen": len(chosen),
            "seconds": seconds,
        }
        console.print(f"{count} neighbors, {truth.name}: {found} of {len(truth.pairs)}", highlight=False)


if __name__ == "__main__":
    main()
