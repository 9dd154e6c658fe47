"""Time tiepoint and other implementations side by side, in one run.

    python -m benchmarks speed                            # half an hour on two cores
    python -m benchmarks speed --only "2048 keypoints" --runs 3 --records build/try
    python -m benchmarks speed --quick --records build/bench

Covers LightGlue in every library, with the limit of the machine; detectors; whole pairs from two files; the Hugging Face
interface. All use the same images, weights and features. The record is benchmarks/records/speed.json;
`python -m benchmarks speed render` makes the tables of docs/results.md.
"""

import argparse
from collections.abc import Iterator

import torch

from benchmarks.images import image_files
from benchmarks.records import about, write_record
from benchmarks.speed import extraction, huggingface, matching
from benchmarks.timing import Case, add_timing_arguments, as_dicts, num_runs, time_cases

RECORD = "speed.json"
GROUPS = (matching, extraction, huggingface)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Time the selected cases and write the record."""
    torch.set_grad_enabled(False)
    runs = num_runs(arguments)
    timings = time_cases(all_cases(quick=arguments.quick), runs=runs, only=arguments.only)
    write_record(arguments.records, RECORD, {"about": about(runs), "timings": as_dicts(timings)})


def all_cases(*, quick: bool) -> Iterator[Case]:
    """Yield all rows; networks are loaded when their row is due."""
    with image_files() as files:
        for group in GROUPS:
            yield from group.cases(files, quick=quick)
