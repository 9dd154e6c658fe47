"""Run a benchmark: `python -m benchmarks TOPIC [PROGRAM] [options]`."""

import sys

from benchmarks.programs import run

if __name__ == "__main__":
    run(sys.argv[1:])
