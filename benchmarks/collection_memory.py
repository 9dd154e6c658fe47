"""Peak memory of a collection against its number of pairs: the same photographs, more and more pairs of them.

    .venv/bin/python benchmarks/collection_memory.py            # 100, 1,000 and 3,321 pairs: 10 min on one core
    .venv/bin/python benchmarks/collection_memory.py --quick    # written to build/: does everything still work?

Photographs and keypoints are small, so that what grows with pairs would be seen beside them; each number of pairs runs
in a fresh process, from photographs to verified matches in the store. Writes benchmarks/records/collection_memory.json;
benchmarks/render_collection.py makes the page.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.console import Console

import tiepoint
from tiepoint.bench import peak_bytes, resident_bytes
from tiepoint.image.listing import find_images
from timing import RECORDS, about

RECORD = "collection_memory.json"
ROOT = Path(__file__).resolve().parents[1]
PHOTOGRAPHS = ROOT.parent / "shared" / "photos" / "val"
PAIRS = (100, 1_000, 3_321)
MIB = 1 << 20
SETTING = {"resize": 256, "max_keypoints": 128}

console = Console(stderr=True)


def main() -> None:
    """Measure every number of pairs, or in such a process, one."""
    arguments = parse()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    rows = [in_a_process(count) for count in ((10, 40) if arguments.quick else PAIRS)]
    records = ROOT / "build" / "bench" if arguments.quick else arguments.records
    records.mkdir(parents=True, exist_ok=True)
    record = {"about": about(runs=1), "setting": SETTING, "rows": rows}
    (records / RECORD).write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="few pairs: does everything still work?")
    made.add_argument("--records", type=Path, default=RECORDS, help=f"folder for {RECORD}")
    made.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    return made.parse_args()


def in_a_process(count: int) -> dict[str, Any]:
    """What a fresh process says of so many pairs."""
    with console.status(f"{count} pairs"):
        ended = subprocess.run(
            [sys.executable, __file__, "--one", str(count)], capture_output=True, text=True, check=True
        )
    row = json.loads(ended.stdout.splitlines()[-1])
    console.print(
        f"{row['pairs']:,} pairs, {row['matches']:,} matches: {row['peak_mib']:.0f} MiB, {row['held_mib']:.0f} at the end"
    )
    return row


def measure(count: int) -> dict[str, Any]:
    """Match so many pairs in this process."""
    names = [path.name for path in find_images(PHOTOGRAPHS)]
    pairs = random.Random(0).sample(sorted(combinations(names, 2)), count)
    with tempfile.TemporaryDirectory() as scratch:
        chosen = Path(scratch) / "pairs.txt"
        chosen.write_text("".join(f"{name0} {name1}\n" for name0, name1 in pairs))
        report = tiepoint.match_collection(
            PHOTOGRAPHS, Path(scratch) / "out", pairs=f"list:{chosen}", device="cpu", threads=1, **SETTING
        )
    return {
        "pairs": count,
        "matches": report.matches,
        "peak_mib": peak_bytes() / MIB,
        "held_mib": resident_bytes() / MIB,
    }


if __name__ == "__main__":
    main()
