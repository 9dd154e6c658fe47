"""Seconds of tiepoint beside its peers, in one run.

    .venv/bin/python benchmarks/speed.py                            # half an hour on two cores
    .venv/bin/python benchmarks/speed.py --only "2048 keypoints" --runs 3 --records build/try
    .venv/bin/python benchmarks/speed.py --quick --records build/bench

LightGlue in every library, with the limit of the machine; detectors; whole pairs from two files; Hugging Face's
surface. All get the same photographs, weights and features. The record is benchmarks/records/speed.json, of which
benchmarks/render_results.py makes the tables of docs/results.md.
"""

from collections.abc import Iterator

import torch

import extraction
import huggingface
import matching
from photographs import photographs
from timing import Case, as_dicts, parse, parser, time_cases, write_record

RECORD = "speed.json"
GROUPS = (matching, extraction, huggingface)


def main() -> None:
    """Time the chosen cases, print a line about each, write the record."""
    arguments = parse(parser(__doc__, RECORD))
    torch.set_grad_enabled(False)
    timings = time_cases(all_cases(quick=arguments.quick), arguments)
    write_record(RECORD, arguments, timings=as_dicts(timings))


def all_cases(*, quick: bool) -> Iterator[Case]:
    """Every row; networks are made when a row comes up."""
    with photographs() as files:
        for group in GROUPS:
            yield from group.cases(files, quick=quick)


if __name__ == "__main__":
    main()
