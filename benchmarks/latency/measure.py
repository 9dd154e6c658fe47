"""Match pairs of all public sets within latency budgets, and record times and accuracy.

    python -m benchmarks latency              # one run: about five minutes on two idle cores; starts a new record
    python -m benchmarks latency --append     # another run, added to the record
    python -m benchmarks latency --quick --records build/bench
    python -m benchmarks latency render

Every method is calibrated first. Each pair is decoded once and then matched by every method within every budget, and
without a budget (0). The time is that of `Matcher.match` without reading. Pairs with ground truth are easy if
`aliked+lightglue` stops after at most four layers without a budget, else hard; different-scene pairs join images of two
sets.
The accuracy of a pair is in [0, 1]: 1 - error / limit, at least 0, for the corner error of the homography (5 px) or the
pose error (10 degrees); the mean average accuracy of annotated points; the fraction of matches within 1 px of the
disparity.

Run it on an idle machine: other programs delay pairs, whatever the budget.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import torch
from rich.console import Console

import tiepoint
from benchmarks.accuracy.measure import set_names
from benchmarks.paths import DATA
from benchmarks.records import (
    Record,
    about,
    add_quick_argument,
    add_records_argument,
    read_record,
    write_column_record,
)
from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.evaluate import subsample
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.evaluation.score import score_pair
from tiepoint.image import Image, read_image
from tiepoint.io.config import to_dict
from tiepoint.io.machine import waiting_seconds
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import LatencyBudget
from tiepoint.matching.latency.calibration import measure_costs
from tiepoint.matching.latency.cost_model import CostModel
from tiepoint.result import MatchResult

RECORD = "latency.json"
BUDGETS_MS = (50, 100, 200, 500, 1000)
NO_BUDGET = 0

METHODS: dict[str, dict[str, Any]] = {
    "aliked+lightglue": {"preset": "aliked+lightglue"},
    "aliked+lightglue, 480 px": {"preset": "aliked+lightglue", "resize": 480, "max_keypoints": 1024},
    "aliked+lightglue-small, 480 px": {
        "preset": "aliked+lightglue-small",
        "resize": 480,
        "max_keypoints": 1024,
    },
    "xfeat+lighterglue": {"preset": "xfeat+lighterglue"},
    "xfeat+nearest": {"preset": "xfeat+nearest"},
}
"""Name -> preset and options of `tiepoint.load`."""

PAIRS_PER_SET = 2
CALIBRATION_RUNS = 5

ACCURACY: dict[str, Callable[[float], float]] = {
    "corner_error_px": lambda error: max(0.0, 1 - error / 5),
    "pose_error_deg": lambda error: max(0.0, 1 - error / 10),
    "marked_maa": float,
    "disparity_within_1px": float,
}
"""Value of a scored pair -> accuracy in [0, 1]."""


@dataclass(frozen=True)
class LatencyPair:
    """Two decoded images, and the evaluation pair of images of the same scene."""

    name: str
    image0: Image
    image1: Image
    dataset: str = ""
    truth: EvaluationPair | None = None


@dataclass(frozen=True)
class Row:
    """One match; field names are those of the record.

    Attributes:
        method: Key of `METHODS`.
        budget: Budget in ms; `NO_BUDGET` without one.
        pair: Index of the pair.
        ms: Time from decoded images to matches in ms; None if the budget is too small for these images.
        accuracy: Accuracy in [0, 1]; None for different scenes, and without a match.
        matches: Number of matches.
        keypoints: Mean number of keypoints used per image.
        layers: Number of layers run.
        stopped_by: Reason why no further layer was run.
    """

    method: str
    budget: int
    pair: int
    ms: float | None = None
    accuracy: float | None = None
    matches: int = 0
    keypoints: float = 0
    layers: int = 0
    stopped_by: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--append", action="store_true", help="Add a run to the record.")
    parser.add_argument(
        "--pairs",
        type=int,
        default=PAIRS_PER_SET,
        help="Number of pairs per data set (default: %(default)s).",
    )
    parser.add_argument("--only", default="", help="Measure only methods whose name contains this text.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure one run and write the record."""
    known = read_record(arguments.records, RECORD) if arguments.append else None
    pairs = list(read_pairs(1 if arguments.quick else arguments.pairs, quick=arguments.quick))
    names = [pair.name for pair in pairs]
    if known is not None and known["pairs"] != names:
        sys.exit(f"the record has other pairs; measure a new one without --append, in {arguments.records}")
    chosen = {name: options for name, options in METHODS.items() if arguments.only in name}
    if arguments.quick:
        chosen = {name: options | {"resize": 320, "max_keypoints": 256} for name, options in chosen.items()}
    run = measure_run(pairs, chosen)
    runs = [*(known["runs"] if known else []), run]
    record = {
        "about": about(runs=len(runs)),
        "methods": METHODS,
        "budgets": list(BUDGETS_MS),
        "pairs": names,
        "runs": runs,
    }
    write_column_record(arguments.records, RECORD, record)


def read_pairs(count: int, *, quick: bool) -> Iterator[LatencyPair]:
    """Yield pairs of the same scene, and then pairs of different scenes; images are decoded once."""
    first: list[LatencyPair] = []
    for name in set_names(DATA)[: 2 if quick else None]:
        for pair in subsample(read_dataset("pairs-jsonl", f"{DATA}#{name}"), count).pairs:
            images = [
                read_rotated(path, rotations)
                for path, rotations in (
                    (pair.image0, pair.num_rotations0),
                    (pair.image1, pair.num_rotations1),
                )
            ]
            found = LatencyPair(f"{name}/{pair.name}", *images, dataset=name, truth=pair)
            first += [found] if not first or first[-1].dataset != name else []
            yield found
    for one, other in zip(first, first[1:] + first[:1], strict=True):
        yield LatencyPair(f"different: {one.name}, {other.name}", one.image0, other.image1)


def read_rotated(path: Any, num_rotations: int) -> Image:
    """Read an image and rotate it by multiples of 90 degrees (CCW)."""
    image = read_image(path)
    return replace(image, pixels=torch.rot90(image.pixels, num_rotations, (1, 2)).contiguous())


def measure_run(pairs: list[LatencyPair], methods: dict[str, dict[str, Any]]) -> Record:
    """Calibrate all methods, and match all pairs with each of them within each budget."""
    matchers = {name: tiepoint.load(**options) for name, options in methods.items()}
    costs = {
        name: measure_costs(matcher.extractor, matcher.matcher, runs=CALIBRATION_RUNS)
        for name, matcher in matchers.items()
    }
    start, waited = perf_counter(), waiting_seconds()
    rows: list[Row] = []
    for index, pair in enumerate(pairs):
        for name, matcher in matchers.items():
            rows += [
                measure(name, matcher, costs[name], budget, index, pair)
                for budget in (NO_BUDGET, *BUDGETS_MS)
            ]
        log(f"{index + 1}/{len(pairs)} {pair.name}: {perf_counter() - start:.0f} s")
    waiting = (waiting_seconds() - waited) / (perf_counter() - start)
    log(f"waited for a core {waiting:.1%} of the time; an idle machine stays below 1 %")
    return {
        "about": about(runs=1),
        "waiting": round(waiting, 4),
        "costs": {name: to_dict(model) for name, model in costs.items()},
        "rows": as_columns(rows),
    }


def measure(name: str, matcher: Matcher, costs: CostModel, budget: int, index: int, pair: LatencyPair) -> Row:
    """Match one pair once."""
    row = Row(name, budget, index)
    try:
        latency = None if budget == NO_BUDGET else LatencyBudget(budget, costs)
        limited = Matcher(matcher.extractor, matcher.matcher, budget=latency)
        start = perf_counter()
        result = limited.match(pair.image0, pair.image1)
        seconds = perf_counter() - start - result.seconds["read"]
    except InvalidInput:
        return row
    return replace(
        row,
        ms=round(1000 * seconds, 2),
        accuracy=None if pair.truth is None else accuracy(result, pair.truth, pair.dataset),
        matches=len(result),
        keypoints=sum(result.keypoints_used) / 2,
        layers=result.layers_run,
        stopped_by=result.stopped_by,
    )


def accuracy(result: MatchResult, pair: EvaluationPair, dataset: str) -> float:
    """Return the accuracy of a pair in [0, 1]."""
    protocol = PROTOCOLS["tiepoint"]
    setup = protocol.setup(protocol.family(dataset, pair.truth))
    matched = MatchedPair(
        keypoints0=result.features0.keypoints.double().numpy(),
        keypoints1=result.features1.keypoints.double().numpy(),
        matches=result.matches,
        scores=result.scores,
        image_size0=result.features0.image_size,
        image_size1=result.features1.image_size,
        seconds={},
    )
    values = score_pair(pair, matched, setup).values
    scores = [limit(values[value]) for value, limit in ACCURACY.items() if value in values]
    return round(scores[0], 4) if scores else 0.0


def as_columns(rows: list[Row]) -> dict[str, list[Any]]:
    """Return rows as columns for the record."""
    dicts = [asdict(row) for row in rows]
    return {name: [row[name] for row in dicts] for name in dicts[0]}


def log(line: str) -> None:
    """Print a line on stderr."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
