"""Memory and time of the plan of a large collection: 100,000 photographs, 10 million pairs, half of them done.

    .venv/bin/python benchmarks/planning.py                       # full size, each choice in a process of its own
    .venv/bin/python benchmarks/planning.py --photographs 10000   # a tenth of it

No photograph is read, and no record: workers do nothing. All else is what a run does: its stages choose pairs, look up
what is done, plan all units of work, one after the other, and count. Writes benchmarks/records/planning.json;
benchmarks/render_pairs.py makes the page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tiepoint.bench import peak_bytes, resident_bytes
from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import PairSelection, SelectedPairs, select_pairs
from tiepoint.collection.run.stages import RunLog, Stages
from tiepoint.collection.run.tasks import Extract, Outcome, Task
from tiepoint.collection.state import KINDS, Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.image.exif import GPSPosition
from tiepoint.io.progress import no_progress
from timing import RECORDS, about

NUM_IMAGES = 100_000
NEIGHBORS = 100
CHOICES = ("sequential", "list")
NOTED = 20_000  # keys at a time, when pairs are called done
MIB = 1 << 20

console = Console(stderr=True)


def main() -> None:
    """Measure every choice, or one in this process."""
    arguments = parse()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.photographs, arguments.neighbors)))
        return
    cases = [in_a_process(choice, arguments) for choice in arguments.choices.split(",")]
    record = {"about": about(runs=1), "cases": cases}
    arguments.records.mkdir(parents=True, exist_ok=True)
    (arguments.records / "planning.json").write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=NUM_IMAGES)
    parser.add_argument("--neighbors", type=int, default=NEIGHBORS, help="pairs a photograph")
    parser.add_argument("--choices", default=",".join(CHOICES), help="of sequential, list and spatial")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder for planning.json")
    parser.add_argument("--measure", default="", help="one choice, in this process; JSON on standard output")
    return parser.parse_args()


def in_a_process(choice: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What `measure` says in a fresh process, whose memory is its own."""
    sizes = ("--photographs", str(arguments.photographs), "--neighbors", str(arguments.neighbors))
    command = [sys.executable, __file__, "--measure", choice, *sizes]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    console.print(
        f"{choice}: {found['pairs']:,} pairs, {found['peak_mib']:.0f} MiB, {found['seconds']:.0f} s",
        highlight=False,
    )
    return found


def measure(choice: str, photographs: int, neighbors: int) -> dict[str, Any]:
    """Go through the stages of a run: choose, call every other pair done, plan the rest, count what is done."""
    before, start = resident_bytes(), perf_counter()
    collection, workers = tuple(simulated(photographs)), Workers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = Stores(*(Simulated(folder / kind, {"of": kind}) for kind in KINDS))
        stages = Stages(collection, stores, workers, RunLog(no_progress))
        stages.extract()
        argument = write_list(folder, collection, neighbors) if choice == "list" else str(neighbors)
        chosen = stages.select(f"{choice}:{argument}", folder)
        call_done(islice(keys_of(chosen, collection), 0, None, 2), stores.matches)
        stages.match(chosen)
        counts = stages.count(chosen)
    return {
        "choice": choice,
        "photographs": photographs,
        "pairs": len(chosen),
        "done": counts["pairs"],
        "planned": workers.items["matches"],
        "extract_units": workers.units["features"],
        "match_units": workers.units["matches"],
        "seconds": perf_counter() - start,
        "start_mib": before / MIB,
        "peak_mib": peak_bytes() / MIB,
    }


class Workers:
    """An executor that does nothing: it says of features that they are there, and counts."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self.units, self.items = Counter[str](), Counter[str]()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """See `Executor`."""
        for number, task in enumerate(tasks):
            of_images = isinstance(task, Extract)
            kind, items = ("features", task.images) if of_images else ("matches", task.pairs)
            self.units[kind] += 1
            self.items[kind] += len(items)
            keys = tuple(photograph.key for photograph in task.images) if of_images else ()
            shard = f"{number}.h5" if of_images else ""
            yield Outcome(kind=kind, shard=shard, keys=keys, size=len(items))


class Simulated(Store):
    """A store of shards that don't exist: all pairs have a match."""

    def records(self, kind: str, shard: str, *names: str) -> dict[str, dict[str, Any]]:
        """See `Store`."""
        return defaultdict(lambda: {"num_matches": 1})


def call_done(keys: Iterator[str], matches: Store) -> None:
    """Note keys in shards, as if a run had left them."""
    for number in count():
        some = list(islice(keys, NOTED))
        if not some:
            return
        matches.register_shard("matches", f"{number}.h5", some)


def simulated(photographs: int) -> Iterator[ImageRecord]:
    """Photographs of a drone over a field, 100 a line."""
    for index in range(photographs):
        name = f"flight {index // 1000:03d}/DJI_{index:06d}.JPG"
        position = GPSPosition(48 + 1e-4 * (index // 100), 2 + 1e-4 * (index % 100))
        yield ImageRecord(
            name=name,
            path=Path("photographs") / name,
            digest=f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}",
            image_size=(5280, 3956),
            position=position,
            size_bytes=10_000_000 + index,
            modified_ns=1_700_000_000_000_000_000 + index,
        )


def write_list(folder: Path, photographs: Sequence[ImageRecord], neighbors: int) -> str:
    """The pairs of "sequential", as lines of a list."""
    path = folder / "pairs.txt"
    pairs = select_pairs(PairSelection("sequential", str(neighbors)), photographs)
    with path.open("w") as file:
        file.writelines(f"{name0}\t{name1}\n" for name0, name1 in pairs)
    return str(path)


def keys_of(pairs: SelectedPairs, photographs: Sequence[ImageRecord]) -> Iterator[str]:
    """Keys of all pairs, in order."""
    keys = {photograph.name: photograph.key for photograph in photographs}
    return (pair_key((keys[name0], keys[name1])) for name0, name1 in pairs)


if __name__ == "__main__":
    main()
