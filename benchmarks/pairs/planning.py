"""Measure memory and time of planning a large collection: 100,000 images, 10 million pairs, half of them done.

    python -m benchmarks pairs planning                  # full size, each selection method in a new process
    python -m benchmarks pairs planning --images 10000   # a tenth of it

No image and no record is read: workers do nothing. Everything else is done as in a run: its stages select pairs, look up
what is done, plan all tasks one after the other, and count. Writes benchmarks/records/planning.json;
`python -m benchmarks pairs render` updates docs/results.md.
"""

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks.processes import run_in_new_process
from benchmarks.records import Record, about, add_records_argument, write_record
from tiepoint.bench import peak_bytes, resident_bytes
from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import PairSelection, SelectedPairs, select_pairs
from tiepoint.collection.run.progress_writer import ProgressWriter
from tiepoint.collection.run.stages import RunLog, Stages
from tiepoint.collection.run.tasks import Extract, Outcome, Task
from tiepoint.collection.state import KINDS, PROGRESS, Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.image.exif import GPSPosition
from tiepoint.io.progress import no_progress

RECORD = "planning.json"
NUM_IMAGES = 100_000
NEIGHBORS = 100
CHOICES = ("sequential", "list")
KEYS_PER_SHARD = 20_000
MIB = 1 << 20

console = Console(stderr=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=NUM_IMAGES, help="Number of images.")
    parser.add_argument("--neighbors", type=int, default=NEIGHBORS, help="Number of pairs per image.")
    parser.add_argument(
        "--choices",
        default=",".join(CHOICES),
        help="Selection methods, separated by commas: sequential, list, spatial.",
    )
    parser.add_argument(
        "--measure", default="", help="Measure one selection method in this process; print JSON."
    )
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure each selection method in a new process, or one in this process."""
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.images, arguments.neighbors)))
        return
    cases = [measure_in_new_process(choice, arguments) for choice in arguments.choices.split(",")]
    write_record(arguments.records, RECORD, {"about": about(runs=1), "cases": cases})


def measure_in_new_process(choice: str, arguments: argparse.Namespace) -> Record:
    """Measure one selection method in a new process."""
    sizes = ("--images", str(arguments.images), "--neighbors", str(arguments.neighbors))
    case = run_in_new_process("pairs", "planning", "--measure", choice, *sizes)
    line = f"{choice}: {case['pairs']:,} pairs, {case['peak_mib']:.0f} MiB, {case['seconds']:.0f} s"
    console.print(line, highlight=False)
    return case


def measure(choice: str, num_images: int, neighbors: int) -> Record:
    """Go through the stages of a run: select pairs, mark every other one as done, plan the rest, count."""
    bytes_before, start = resident_bytes(), perf_counter()
    collection, workers = tuple(simulate_images(num_images)), IdleWorkers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stores = Stores(*(SimulatedStore(folder / kind, {"of": kind}) for kind in KINDS))
        writer = ProgressWriter(folder / PROGRESS, "serial")
        stages = Stages(collection, stores, workers, RunLog(no_progress), writer)
        stages.extract()
        argument = write_list(folder, collection, neighbors) if choice == "list" else str(neighbors)
        selected = stages.select(f"{choice}:{argument}", folder)
        mark_done(islice(pair_keys(selected, collection), 0, None, 2), stores.matches)
        stages.match(selected)
        counts = stages.count(selected)
    return {
        "choice": choice,
        "images": num_images,
        "pairs": len(selected),
        "done": counts["pairs"],
        "planned": workers.items["matches"],
        "extract_units": workers.units["features"],
        "match_units": workers.units["matches"],
        "seconds": perf_counter() - start,
        "start_mib": bytes_before / MIB,
        "peak_mib": peak_bytes() / MIB,
    }


class IdleWorkers:
    """An executor that does nothing: it reports features as extracted, and counts tasks and items."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self.units, self.items = Counter[str](), Counter[str]()

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Run tasks, as in `Executor`."""
        for number, task in enumerate(tasks):
            of_images = isinstance(task, Extract)
            kind, items = ("features", task.images) if of_images else ("matches", task.pairs)
            self.units[kind] += 1
            self.items[kind] += len(items)
            keys = tuple(image.key for image in task.images) if of_images else ()
            shard = f"{number}.h5" if of_images else ""
            yield Outcome(kind=kind, shard=shard, keys=keys, size=len(items))


class SimulatedStore(Store):
    """A store without files, in which all pairs have one match."""

    def records(self, kind: str, shard: str, *names: str) -> dict[str, dict[str, Any]]:
        """Read records, as in `Store`."""
        return defaultdict(lambda: {"num_matches": 1})


def mark_done(keys: Iterator[str], matches: Store) -> None:
    """Register keys in shards, as a run does."""
    for number in count():
        shard_keys = list(islice(keys, KEYS_PER_SHARD))
        if not shard_keys:
            return
        matches.register_shard("matches", f"{number}.h5", shard_keys)


def simulate_images(count: int) -> Iterator[ImageRecord]:
    """Yield images of a drone over a field, 100 per flight line."""
    for index in range(count):
        name = f"flight {index // 1000:03d}/DJI_{index:06d}.JPG"
        position = GPSPosition(48 + 1e-4 * (index // 100), 2 + 1e-4 * (index % 100))
        yield ImageRecord(
            name=name,
            path=Path("images") / name,
            digest=f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}",
            image_size=(5280, 3956),
            position=position,
            size_bytes=10_000_000 + index,
            modified_ns=1_700_000_000_000_000_000 + index,
        )


def write_list(folder: Path, images: Sequence[ImageRecord], neighbors: int) -> str:
    """Write the pairs of "sequential" as a list; return its path."""
    path = folder / "pairs.txt"
    pairs = select_pairs(PairSelection("sequential", str(neighbors)), images)
    with path.open("w") as file:
        file.writelines(f"{name0}\t{name1}\n" for name0, name1 in pairs)
    return str(path)


def pair_keys(pairs: SelectedPairs, images: Sequence[ImageRecord]) -> Iterator[str]:
    """Yield the keys of all pairs in order."""
    keys = {image.name: image.key for image in images}
    return (pair_key((keys[name0], keys[name1])) for name0, name1 in pairs)
