"""Count correct matches of presets against the in-plane rotation of image 1, without a search over views.

    python -m benchmarks rotation presets --trained build/training/f    # ten minutes on one thread
    python -m benchmarks rotation presets --only graf --quick --records build/bench
    python -m benchmarks rotation render

Pairs, canvases and correctness are those of `python -m benchmarks rotation`.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

import tiepoint
from benchmarks.records import about, add_quick_argument, add_records_argument, write_record
from benchmarks.rotation.measure import RotationCase, count_correct, known_record, log, rotate, select_cases

RECORD = "rotation_presets.json"
PRESETS = ("aliked+lightglue", "aliked-n16rot+lightglue")
TRAINED = "trained for rotation"
"""Name of the trained matcher in the record."""

STEP_DEG = 15


@dataclass(frozen=True)
class PresetMeasurement:
    """Correct and all matches of one pair by one preset at one angle; field names are those of the record."""

    pair: str
    preset: str
    angle_deg: int
    correct: int
    matches: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="Measure only pairs whose name contains this text.")
    parser.add_argument(
        "--trained", type=Path, help="Folder of a matcher to measure, too, by `tiepoint train`."
    )
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure the selected pairs and write the record."""
    torch.set_num_threads(1)
    chosen, measured = select_cases(arguments, known_record(arguments, RECORD))
    step_deg = 90 if arguments.quick else STEP_DEG
    presets: dict[str, str | Path] = {name: name for name in PRESETS}
    presets |= {} if arguments.trained is None else {TRAINED: arguments.trained}
    measured += [asdict(one) for case in chosen for one in measure_presets(case, presets, step_deg)]
    write_record(arguments.records, RECORD, {"about": about(runs=1), "measured": measured})


def measure_presets(
    case: RotationCase, presets: Mapping[str, str | Path], step_deg: int
) -> Iterator[PresetMeasurement]:
    """Yield the measurements of one pair by all presets, by their names in the record, at all angles."""
    for preset, source in presets.items():
        matcher = tiepoint.load(source, **case.settings, views=None)
        for angle_deg in range(0, 360, step_deg):
            image1, matrix1 = rotate(case.image1, angle_deg)
            result = matcher.match(case.image0, image1)
            measurement = PresetMeasurement(
                pair=case.name,
                preset=preset,
                angle_deg=angle_deg,
                correct=count_correct(result, case.errors, np.eye(3), matrix1),
                matches=len(result),
            )
            log(str(measurement))
            yield measurement
