"""Match one random pair with one library, all layers, and print seconds and memory as JSON.

.venv/bin/python benchmarks/one_match.py tiepoint 4096

A program of its own, because the memory that a process once held can't be told from what it needs now.
"""

import json
import sys

import torch

from contestants import LIGHTGLUES
from photographs import random_pair
from tiepoint.bench import measure, peak_bytes, reset_peak, resident_bytes
from tiepoint.bench.timing import seconds_of

QUICK_ENOUGH = 4096
"""Up to here the median of three runs after a warm one; above, the only run counts."""


def main() -> None:
    """Print {"seconds": …, "bytes_above_model": …}."""
    library, count = sys.argv[1], int(sys.argv[2])
    torch.set_grad_enabled(False)
    match, pair = LIGHTGLUES[library].make(False), random_pair(count)
    reset_peak()
    before = resident_bytes()
    if count <= QUICK_ENOUGH:
        seconds = measure(lambda: match(pair), runs=3).median
    else:
        match(random_pair(512))
        seconds = seconds_of(lambda: match(pair))
    print(json.dumps({"seconds": seconds, "bytes_above_model": peak_bytes() - before}))


if __name__ == "__main__":
    main()
