"""Match one random pair with one library, all layers, and print seconds and memory as JSON.

    python -m benchmarks speed single-match tiepoint 4096

Runs in a process of its own, because memory that was used before cannot be told from memory that is needed now.
"""

import argparse
import json

import torch

from benchmarks.baselines import IMPLEMENTATIONS
from benchmarks.images import random_pair
from tiepoint.bench import measure, peak_bytes, reset_peak, resident_bytes
from tiepoint.bench.timing import seconds_of

MAX_KEYPOINTS_FOR_RUNS = 4096
"""Maximum number of keypoints for which the median of three runs is taken; beyond it there is a single run."""

WARM_UP_KEYPOINTS = 512


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("library", choices=IMPLEMENTATIONS, help="Implementation of LightGlue.")
    parser.add_argument("keypoints", type=int, help="Number of keypoints per image.")


def main(arguments: argparse.Namespace) -> None:
    """Print {"seconds": …, "bytes_above_model": …}."""
    count = arguments.keypoints
    torch.set_grad_enabled(False)
    match, pair = IMPLEMENTATIONS[arguments.library].make(False), random_pair(count)
    reset_peak()
    bytes_before = resident_bytes()
    if count <= MAX_KEYPOINTS_FOR_RUNS:
        seconds = measure(lambda: match(pair), runs=3).median
    else:
        match(random_pair(WARM_UP_KEYPOINTS))
        seconds = seconds_of(lambda: match(pair))
    print(json.dumps({"seconds": seconds, "bytes_above_model": peak_bytes() - bytes_before}))
