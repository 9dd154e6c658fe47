"""What training reaches on this machine: the proofs, one after another; benchmarks/render_training.py makes the page.

    .venv/bin/python benchmarks/training.py                          # everything: about six hours on two cores
    .venv/bin/python benchmarks/training.py --only a --minutes 1 --work build/try --record build/try.json  # does it work?

    a   homography: five layers of width 128 from scratch
    b   distill: the same student, taught by the published matcher too, in the same time
    c   finetune: the published matcher, robust to any turn in the image plane
    e   as c, on keypoints that are themselves found again when a photograph is turned (aliked-n16rot), for twice as long
    d   the small student: the first two published layers, trained on with all nine as teacher; its speed at 2048
        keypoints. benchmarks/small_preset.py makes the preset of it, and benchmarks/results.py measures that

Two processes of one thread train together, which on two cores is a quarter faster than two threads of one. Everything
lies in --work: killed, each part goes on from its last checkpoint. A part that has ended is measured, not trained again;
remove its folder to begin anew; what a teacher predicted before is removed then too, so that its time counts again.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tiepoint.bench import describe_machine
from tiepoint.image.listing import find_images
from tiepoint.io.atomic import atomic_write
from tiepoint.presets import TRAINING
from tiepoint.training.checkpoints import CHECKPOINT
from training_measures import (
    measure_held_out,
    measure_known,
    measure_speed,
    measure_turns,
)

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "photos"
WORK = ROOT / "build" / "training"
RECORD = ROOT / "benchmarks" / "records" / "training.json"

Measure = Callable[[Path, Path, Path], dict[str, Any]]
"""Folder of the trained matcher, photographs to validate on, cache of their features -> figures."""


@dataclass(frozen=True, slots=True)
class Part:
    """One proof.

    Attributes:
        options: of `tiepoint train`.
        cache: name of the folder of its features; parts that learn from the same views share one.
        measure: what is measured beside the figures on held-out photographs.
    """

    options: str
    cache: str
    measure: Measure | None = None


PARTS = {
    "a": Part("--recipe homography --batch-size 4 --minutes 60", "features-upright"),
    "b": Part("--recipe distill --batch-size 4 --minutes 60", "features-upright"),
    "c": Part("--recipe finetune --batch-size 2 --minutes 30", "features-any-turn", measure_turns),
    "d": Part(
        "--recipe distill --init official --layers 2 --batch-size 4 --learning-rate 2e-4 --minutes 45",
        "features-upright",
        measure_speed,
    ),
    "e": Part(
        "--recipe finetune --extractor aliked-n16rot --batch-size 2 --minutes 60",
        "features-n16rot-any-turn",
        measure_turns,
    ),
}


def main() -> None:
    """Train what isn't trained yet, measure, and write the record."""
    arguments = parse()
    torch.set_num_threads(arguments.processes)
    for part in arguments.only or PARTS:
        run_part(part, arguments)
    held_out = arguments.photos / "val", arguments.work / "held-out"
    write({"known": measure_known(*held_out)}, arguments)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=PARTS, help="these parts")
    parser.add_argument("--minutes", type=float, help="of training, instead of each part's own")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder with train/ and val/")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of runs and caches")
    parser.add_argument("--record", type=Path, default=RECORD, help="the JSON record")
    parser.add_argument("--processes", type=int, default=2, help="that train together, with one thread each")
    arguments = parser.parse_args()
    if arguments.minutes is not None and arguments.work == WORK:
        parser.error("--minutes makes a trial, which needs a --work and a --record of its own")
    return arguments


def run_part(name: str, arguments: argparse.Namespace) -> None:
    """Train, or go on; measure, and write the record with this part."""
    part, folder = PARTS[name], arguments.work / name
    if not (folder / CHECKPOINT).exists():
        for predictions in (arguments.work / part.cache).glob("soft-targets-*"):
            shutil.rmtree(predictions)
    if not (folder / TRAINING).exists():
        subprocess.run(list(command(name, arguments)), check=True)
    held_out = arguments.photos / "val", arguments.work / part.cache / "val"
    report = json.loads((folder / TRAINING).read_text())
    measured = {
        "options": options_of(part, arguments),
        "report": {
            key: report[key] for key in ("recipe", "shape", "parameters", "steps", "pairs", "seconds")
        },
        **measure_held_out(folder, *held_out),
        **(part.measure(folder, *held_out) if part.measure else {}),
    }
    parts = read(arguments)["parts"]
    write({"parts": dict(sorted({**parts, name: measured}.items()))}, arguments)


def command(name: str, arguments: argparse.Namespace) -> Iterator[str]:
    """What trains a part, as anyone can type it."""
    part, photos = PARTS[name], arguments.photos
    yield from (sys.executable, "-m", "torch.distributed.run", "--standalone")
    yield from (f"--nproc_per_node={arguments.processes}", "--no-python")
    yield from (str(Path(sys.executable).with_name("tiepoint")), "train")
    yield from (str(photos / "train"), str(arguments.work / name), "--val", str(photos / "val"))
    yield from ("--cache", str(arguments.work / part.cache), "--resume")
    yield from shlex.split(options_of(part, arguments))


def options_of(part: Part, arguments: argparse.Namespace) -> str:
    """Those of the part; the last --minutes counts."""
    return part.options + ("" if arguments.minutes is None else f" --minutes {arguments.minutes:g}")


def read(arguments: argparse.Namespace) -> dict[str, Any]:
    """The record so far."""
    return json.loads(arguments.record.read_text()) if arguments.record.exists() else {"parts": {}}


def write(measured: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Put what was measured into the record; all else stays as it is."""
    record = read(arguments) | {"about": about(arguments)} | measured
    with atomic_write(arguments.record) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def about(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "command": "python benchmarks/training.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(describe_machine()),
        "processes": arguments.processes,
        "photographs": {name: len(find_images(arguments.photos / name)) for name in ("train", "val")},
    }


if __name__ == "__main__":
    main()
