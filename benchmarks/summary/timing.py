"""Time all presets, the authors' XFeat, SIFT and ORB, on some pairs of each data set in one run, on a quiet machine.

    python -m benchmarks summary timing             # eight pairs per data set: ten to thirty minutes on two cores
    python -m benchmarks summary timing --limit 3   # three pairs per data set

Each pair is matched by one method after the other, from the two image files to the matches (2,048 keypoints, longer side
1,024 px); networks are loaded before. Interrupted runs resume from --store; delete it to start again.
`python -m benchmarks summary render` updates docs/results.md.
"""

import argparse
from time import perf_counter

from benchmarks.paths import BUILD
from benchmarks.records import write_column_record
from benchmarks.summary.runs import Row, add_run_arguments, all_methods, match, run
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor

RECORD = "summary_timing.json"
PAIRS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, RECORD, BUILD / "summary-timing")
    parser.add_argument("--limit", type=int, default=PAIRS, help="Maximum number of pairs per data set.")


def main(arguments: argparse.Namespace) -> None:
    """Time what is missing, write the record."""
    write_column_record(arguments.records, RECORD, run(arguments, all_methods(), milliseconds))


def milliseconds(pair: EvaluationPair, predictor: Predictor) -> Row:
    """Match a pair from its files, and return the time in ms."""
    start = perf_counter()
    match(pair, predictor)
    return {"ms": round(1e3 * (perf_counter() - start), 2)}
