"""Accuracy of all presets, the authors' XFeat, SIFT and ORB, on the same pairs in one run.

    python -m benchmarks summary             # all pairs: about 45 minutes on two cores
    python -m benchmarks summary --limit 3   # three pairs per data set
    python -m benchmarks summary timing      # their times

Each pair is matched by one method after the other (2,048 keypoints, longer side 1,024 px). Interrupted runs resume from
--store; delete it to start again. `python -m benchmarks summary render` updates docs/results.md.
"""

import argparse

from benchmarks.paths import BUILD
from benchmarks.records import write_column_record
from benchmarks.summary.metrics import KINDS
from benchmarks.summary.runs import PROTOCOL, Row, add_run_arguments, all_methods, match, run, truth_of
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor
from tiepoint.evaluation.score import score_pair

RECORD = "summary.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, RECORD, BUILD / "summary-accuracy")
    parser.add_argument("--limit", type=int, help="Maximum number of pairs per data set.")


def main(arguments: argparse.Namespace) -> None:
    """Measure what is missing, write the record."""
    write_column_record(arguments.records, RECORD, run(arguments, all_methods(), accuracy))


def accuracy(pair: EvaluationPair, predictor: Predictor) -> Row:
    """Match a pair, and return the value that its kind of ground truth gives; null for a failure."""
    result = score_pair(pair, match(pair, predictor), PROTOCOL.setup(PROTOCOL.family("", pair.truth)))
    value = result.values[KINDS[truth_of(pair)][0]]
    return {"value": value if value < float("inf") else None}
