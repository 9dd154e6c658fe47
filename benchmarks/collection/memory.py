"""Measure the peak memory of a collection against its number of pairs, with the same images.

    python -m benchmarks collection memory            # 100, 1,000 and 3,321 pairs: 10 min on one core
    python -m benchmarks collection memory --quick    # written to build/: a smoke test

Images and keypoints are small, so that growth with the number of pairs is visible; each number of pairs runs in a new
process, from images to verified matches in the store. Writes benchmarks/records/collection_memory.json;
`python -m benchmarks collection render` updates docs/results.md.
"""

import argparse
import json
import random
import tempfile
from itertools import combinations
from pathlib import Path

from rich.console import Console

import tiepoint
from benchmarks.paths import BUILD, PHOTOS
from benchmarks.processes import run_in_new_process
from benchmarks.records import Record, about, add_quick_argument, add_records_argument, write_record
from tiepoint.bench import peak_bytes, resident_bytes
from tiepoint.image.listing import find_images

RECORD = "collection_memory.json"
IMAGES = PHOTOS / "val"
NUM_PAIRS, QUICK_NUM_PAIRS = (100, 1_000, 3_321), (10, 40)
MIB = 1 << 20
SETTINGS = {"resize": 256, "max_keypoints": 128}

console = Console(stderr=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)


def main(arguments: argparse.Namespace) -> None:
    """Measure each number of pairs in a new process, or one in this process."""
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    counts = QUICK_NUM_PAIRS if arguments.quick else NUM_PAIRS
    record = {
        "about": about(runs=1),
        "setting": SETTINGS,
        "rows": [measure_in_new_process(count) for count in counts],
    }
    write_record(BUILD / "bench" if arguments.quick else arguments.records, RECORD, record)


def measure_in_new_process(count: int) -> Record:
    """Measure one number of pairs in a new process."""
    with console.status(f"{count} pairs"):
        row = run_in_new_process("collection", "memory", "--one", str(count))
    console.print(
        f"{row['pairs']:,} pairs, {row['matches']:,} matches: {row['peak_mib']:.0f} MiB, {row['held_mib']:.0f} at the end"
    )
    return row


def measure(count: int) -> Record:
    """Match `count` random pairs in this process."""
    names = [path.name for path in find_images(IMAGES)]
    pairs = random.Random(0).sample(sorted(combinations(names, 2)), count)
    with tempfile.TemporaryDirectory() as scratch:
        pair_list = Path(scratch) / "pairs.txt"
        pair_list.write_text("".join(f"{name0} {name1}\n" for name0, name1 in pairs))
        report = tiepoint.match_collection(
            IMAGES, Path(scratch) / "out", pairs=f"list:{pair_list}", device="cpu", threads=1, **SETTINGS
        )
    return {
        "pairs": count,
        "matches": report.matches,
        "peak_mib": peak_bytes() / MIB,
        "held_mib": resident_bytes() / MIB,
    }
