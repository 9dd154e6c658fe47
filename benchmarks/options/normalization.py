"""Measure what OpenCV's normalization of keypoints, by width and height apart, costs LightGlue in accuracy.

    python -m benchmarks options normalization            # ten minutes on two cores
    python -m benchmarks options normalization --quick    # a smoke test

`cv2.LightGlueMatcher.setPairInfo` with image sizes divides x by the width and y by the height; LightGlue was trained on
positions divided by the longer side. Both match the same features of the pairs of ../shared/data, as in the summary of
all presets. `python -m benchmarks options render-normalization` updates docs/how-to/deploy.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmarks.paths import BUILD
from benchmarks.records import write_column_record
from benchmarks.summary.measure import accuracy
from benchmarks.summary.runs import add_run_arguments, run
from tiepoint.evaluation.predictors import Pair, PresetPredictor
from tiepoint.result import MatchResult
from tiepoint.types import Features

RECORD = "normalization.json"
PRESET = "aliked+lightglue"
LONGER_SIDE, PER_AXIS = "by the longer side", "by width and height"


class PerAxisPredictor(PresetPredictor):
    """A preset whose matcher sees every image stretched to a square, as OpenCV passes keypoints to it."""

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match the features at stretched positions."""
        return super().match_features([(stretched(pair[0]), stretched(pair[1])) for pair in pairs])


def stretched(features: Features) -> Features:
    """Scale the positions to a square of the longer side: normalized by that side, they are normalized per axis."""
    side = max(features.image_size)
    scale = features.keypoints.new_tensor([side / length for length in features.image_size])
    return replace(features, keypoints=features.keypoints * scale, image_size=(side, side))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, RECORD, BUILD / "normalization")
    parser.add_argument("--limit", type=int, help="Maximum number of pairs per data set.")


def main(arguments: argparse.Namespace) -> None:
    """Measure what is missing, write the record."""
    methods = {LONGER_SIDE: partial(PresetPredictor, PRESET), PER_AXIS: partial(PerAxisPredictor, PRESET)}
    write_column_record(arguments.records, RECORD, run(arguments, methods, accuracy))
