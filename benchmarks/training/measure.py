"""Train and evaluate the recipes on this machine, one part after the other.

    python -m benchmarks training                                    # everything: about six hours on two cores
    python -m benchmarks training --only a --minutes 1 --work build/try --records build/try    # a smoke test

    a   homography: five layers of dimension 128 from scratch
    b   distill: the same student with the published matcher as teacher, in the same time
    c   finetune: the published matcher, robust to any in-plane rotation
    e   as c, with keypoints that are repeatable under rotation (aliked-n16rot), for twice as long
    f   as e, with updates of rank 32 to the published weights, a small file. `python -m benchmarks rotation
        presets --trained build/training/f` evaluates it
    d   small student: the first two published layers, trained with all nine as teacher; its speed at 2048 keypoints.
        `python -m benchmarks training small-preset` makes the preset of it, and `python -m benchmarks accuracy` evaluates it

Two processes of one thread train together, which on two cores is a quarter faster than two threads of one process. All runs
are kept in --work: each part can be interrupted and resumes from its last checkpoint. A finished part is evaluated, not
trained again; remove its folder to start over; then cached predictions of a teacher are removed too, so that their time
is counted again. `python -m benchmarks training render` updates docs/results.md.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.paths import BUILD, PHOTOS, RECORDS
from benchmarks.records import Record, add_records_argument, read_record, today, write_record
from benchmarks.training.metrics import (
    measure_held_out,
    measure_published,
    measure_rotations,
    measure_speed,
)
from tiepoint.bench import describe_machine
from tiepoint.image.listing import find_images
from tiepoint.presets import TRAINING
from tiepoint.training.checkpoints import CHECKPOINT

RECORD = "training.json"
WORK = BUILD / "training"

REPORT_KEYS = ("recipe", "shape", "parameters", "steps", "pairs", "seconds")
"""Keys of the training report that are recorded."""

Measure = Callable[[Path, Path, Path], Record]
"""Function from the folder of a trained matcher, validation images and the cache of their features to metrics."""


@dataclass(frozen=True, slots=True)
class Part:
    """One training run.

    Attributes:
        options: Options of `tiepoint train`.
        cache: Name of the folder of cached features; parts with the same training pairs share one.
        measure: Function for measurements in addition to the metrics on held-out images.
    """

    options: str
    cache: str
    measure: Measure | None = None


PARTS = {
    "a": Part("--recipe homography --batch-size 4 --minutes 60", "features-upright"),
    "b": Part("--recipe distill --batch-size 4 --minutes 60", "features-upright"),
    "c": Part("--recipe finetune --batch-size 2 --minutes 30", "features-any-turn", measure_rotations),
    "d": Part(
        "--recipe distill --init official --layers 2 --batch-size 4 --learning-rate 2e-4 --minutes 45",
        "features-upright",
        measure_speed,
    ),
    "e": Part(
        "--recipe finetune --extractor aliked-n16rot --batch-size 2 --minutes 60",
        "features-n16rot-any-turn",
        measure_rotations,
    ),
    "f": Part(
        "--recipe finetune --extractor aliked-n16rot --lora 32 --learning-rate 5e-4 --batch-size 2 --pairs 5000",
        "features-n16rot-any-turn",
        measure_rotations,
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="*", choices=PARTS, help="Run only these parts.")
    parser.add_argument(
        "--minutes",
        type=float,
        help="Training time, instead of each part's own; requires --work and --records.",
    )
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="Folder with train/ and val/.")
    parser.add_argument("--work", type=Path, default=WORK, help="Folder of runs and caches.")
    parser.add_argument("--processes", type=int, default=2, help="Number of processes, with one thread each.")
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Train what is missing, measure, and write the record."""
    check_arguments(arguments)
    torch.set_num_threads(arguments.processes)
    for part in arguments.only or PARTS:
        run_part(part, arguments)
    held_out = arguments.photos / "val", arguments.work / "held-out"
    update_record({"known": measure_published(*held_out)}, arguments)


def check_arguments(arguments: argparse.Namespace) -> None:
    """Exit if a trial would overwrite the real runs or the real record."""
    if arguments.minutes is not None and (arguments.work == WORK or arguments.records == RECORDS):
        sys.exit("--minutes makes a trial, which requires its own --work and --records")


def run_part(name: str, arguments: argparse.Namespace) -> None:
    """Train a part, or resume it; measure, and update the record."""
    part, folder = PARTS[name], arguments.work / name
    if not (folder / CHECKPOINT).exists():
        for predictions in (arguments.work / part.cache).glob("soft-targets-*"):
            shutil.rmtree(predictions)
    if not (folder / TRAINING).exists():
        subprocess.run(list(training_command(name, arguments)), check=True)
    held_out = arguments.photos / "val", arguments.work / part.cache / "val"
    report = json.loads((folder / TRAINING).read_text())
    measured = {
        "options": options_of(part, arguments),
        "report": {key: report[key] for key in REPORT_KEYS},
        **measure_held_out(folder, *held_out),
        **(part.measure(folder, *held_out) if part.measure else {}),
    }
    parts = known_record(arguments)["parts"]
    update_record({"parts": dict(sorted({**parts, name: measured}.items()))}, arguments)


def training_command(name: str, arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the words of the command that trains a part."""
    part, photos = PARTS[name], arguments.photos
    yield from (sys.executable, "-m", "torch.distributed.run", "--standalone")
    yield from (f"--nproc_per_node={arguments.processes}", "--no-python")
    yield from (str(Path(sys.executable).with_name("tiepoint")), "train")
    yield from (str(photos / "train"), str(arguments.work / name), "--val", str(photos / "val"))
    yield from ("--cache", str(arguments.work / part.cache), "--resume")
    yield from shlex.split(options_of(part, arguments))


def options_of(part: Part, arguments: argparse.Namespace) -> str:
    """Return the options of a part; the last --minutes counts."""
    return part.options + ("" if arguments.minutes is None else f" --minutes {arguments.minutes:g}")


def known_record(arguments: argparse.Namespace) -> Record:
    """Read the existing record."""
    return read_record(arguments.records, RECORD) or {"parts": {}}


def update_record(measured: Record, arguments: argparse.Namespace) -> None:
    """Update the record with measurements; the rest is kept."""
    about = {
        "command": "python -m benchmarks training",
        "date": today(),
        "machine": asdict(describe_machine()),
        "processes": arguments.processes,
        "images": {name: len(find_images(arguments.photos / name)) for name in ("train", "val")},
    }
    write_record(arguments.records, RECORD, known_record(arguments) | {"about": about} | measured)
