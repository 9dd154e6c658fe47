"""Memory and time of the plan of a large collection: 100,000 photographs, 10 million pairs, half of them done.

    .venv/bin/python benchmarks/planning.py                       # full size, each choice in a process of its own
    .venv/bin/python benchmarks/planning.py --photographs 10000   # a tenth of it

No photograph is read: what is measured is the choice of pairs, the keys of what is done, and all units of work, one
after the other. Writes benchmarks/records/planning.json; benchmarks/render_pairs.py makes the page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tiepoint.bench import peak_bytes, resident_bytes
from tiepoint.collection.pairs import PairChoice, choose_pairs
from tiepoint.collection.photographs import Photograph
from tiepoint.collection.plan import plan_extraction, plan_matching
from tiepoint.image.exif import Position
from tiepoint.keys import KeySet, pair_key
from timing import RECORDS, about

PHOTOGRAPHS = 100_000
NEIGHBOURS = 100
CHOICES = ("sequential", "list")
MIB = 1 << 20

console = Console(stderr=True)


def main() -> None:
    """Measure every choice, or one in this process."""
    arguments = parse()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.photographs, arguments.neighbours)))
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
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS)
    parser.add_argument("--neighbours", type=int, default=NEIGHBOURS, help="pairs a photograph")
    parser.add_argument("--choices", default=",".join(CHOICES), help="of sequential, list and spatial")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder for planning.json")
    parser.add_argument("--measure", default="", help="one choice, in this process; JSON on standard output")
    return parser.parse_args()


def in_a_process(choice: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What `measure` says in a fresh process, whose memory is its own."""
    sizes = ("--photographs", str(arguments.photographs), "--neighbours", str(arguments.neighbours))
    command = [sys.executable, __file__, "--measure", choice, *sizes]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    console.print(
        f"{choice}: {found['pairs']:,} pairs, {found['peak_mib']:.0f} MiB, {found['seconds']:.0f} s",
        highlight=False,
    )
    return found


def measure(choice: str, photographs: int, neighbours: int) -> dict[str, Any]:
    """Choose, plan everything, call every other pair done, plan the rest."""
    before, start = resident_bytes(), perf_counter()
    collection = list(simulated(photographs))
    with tempfile.TemporaryDirectory() as folder:
        argument = write_list(Path(folder), collection, neighbours) if choice == "list" else str(neighbours)
        pairs = choose_pairs(PairChoice(choice, argument), collection)
    done = KeySet(islice(keys_of(pairs, collection), 0, None, 2))
    units = planned = 0
    for unit in plan_matching(pairs, done):
        units, planned = units + 1, planned + len(unit.pairs)
    return {
        "choice": choice,
        "photographs": photographs,
        "pairs": len(pairs),
        "done": len(done),
        "planned": planned,
        "extract_units": sum(1 for _ in plan_extraction(collection)),
        "match_units": units,
        "seconds": perf_counter() - start,
        "start_mib": before / MIB,
        "peak_mib": peak_bytes() / MIB,
    }


def simulated(count: int) -> Iterator[Photograph]:
    """Photographs of a drone over a field, 100 a line."""
    for index in range(count):
        name = f"flight {index // 1000:03d}/DJI_{index:06d}.JPG"
        position = Position(48 + 1e-4 * (index // 100), 2 + 1e-4 * (index % 100))
        yield Photograph(
            name=name,
            path=Path("photographs") / name,
            digest=f"{index * 0x9E3779B97F4A7C15 % 2**64:016x}",
            image_size=(5280, 3956),
            position=position,
            size_bytes=10_000_000 + index,
            modified_ns=1_700_000_000_000_000_000 + index,
        )


def write_list(folder: Path, photographs: list[Photograph], neighbours: int) -> str:
    """The pairs of "sequential", as lines of a list."""
    path = folder / "pairs.txt"
    pairs = choose_pairs(PairChoice("sequential", str(neighbours)), photographs)
    with path.open("w") as file:
        file.writelines(f"{name0}\t{name1}\n" for name0, name1 in pairs)
    return str(path)


def keys_of(pairs: Any, photographs: list[Photograph]) -> Iterator[str]:
    """Keys of all pairs, in order."""
    keys = {photograph.name: photograph.key for photograph in photographs}
    return (pair_key((keys[name0], keys[name1])) for name0, name1 in pairs)


if __name__ == "__main__":
    main()
