"""Fit and test pair verification (`result.verify()`) on images of ../shared/data.

    python -m benchmarks verification            # about half an hour on one thread with an empty store
    python -m benchmarks verification --only xfeat  # these presets only; the rest of the record is kept
    python -m benchmarks verification --quick    # few pairs of the fastest preset: a smoke test

One half of the scenes is fitted, the other half tested (pairs.py). XFeat's rows are fitted on the half
with more pairs of the same scene. The printed coefficients belong into `MODELS` of
src/tiepoint/geometry/pair_verification.py; a test compares them with the record. Features and matches are kept in
--store. `python -m benchmarks verification render` updates docs/results.md.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import BUILD, DATA
from benchmarks.records import (
    Record,
    add_quick_argument,
    add_records_argument,
    command_line,
    read_record,
    today,
    write_column_record,
)
from benchmarks.verification.fit import balanced_weights, fit_logistic
from benchmarks.verification.fitted import FITTED, Fitted
from benchmarks.verification.observations import Observation, observe
from benchmarks.verification.pairs import LabeledPair, labeled_pairs
from tiepoint.bench import describe_machine
from tiepoint.geometry.pair_verification import feature_vector
from tiepoint.io.versions import installed_versions

RECORD = "verification.json"


TESTED_PRESETS = ("disk+lightglue", "aliked-t16+nearest")
"""Presets that are tested with the coefficients of another one of `FITTED`."""

NUM_NEGATIVES = 200
"""Pairs of two scenes, in both halves together."""

TEST_STRIDE = 3
"""Fraction 1 / n of the pairs of the test half that are matched with the presets of `TESTED_PRESETS`."""

QUICK_PAIRS = 12
NUM_DECIMALS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument(
        "--store", type=Path, default=BUILD / "verification", help="Folder of features and matches."
    )
    parser.add_argument("--only", default="", help="Measure only presets whose name contains this text.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Match, fit, write the record, print the coefficients."""
    pairs = labeled_pairs(arguments.data, NUM_NEGATIVES)
    observations = list(observe_all(pairs, arguments.store, arguments.only, quick=arguments.quick))
    models = {row: fit(observations, fitted) for row, fitted in FITTED.items()}
    models = {row: model for row, model in models.items() if model}
    record = make_record(observations, models)
    known = read_record(arguments.records, RECORD) if arguments.only else None
    write_column_record(arguments.records, RECORD, merge(known, record) if known else record)
    print(json.dumps(models))


def observe_all(
    pairs: Sequence[LabeledPair], store: Path, only: str, *, quick: bool
) -> Iterator[Observation]:
    """Yield both halves with the fitted presets, and a part of the test half with the others."""
    presets = [fitted.preset for fitted in FITTED.values()]
    if quick:
        yield from observe(presets[1], pairs[:: len(pairs) // QUICK_PAIRS], store)
        return
    for preset in (preset for preset in presets if only in preset):
        yield from observe(preset, pairs, store)
    test = [labeled for labeled in pairs if labeled.half == "test"][::TEST_STRIDE]
    for preset in (preset for preset in TESTED_PRESETS if only in preset):
        yield from observe(preset, test, store)


def fit(observations: Iterable[Observation], fitted: Fitted) -> list[float]:
    """Return the coefficients of one row of `MODELS`; none without pairs of both labels."""
    chosen = [
        o
        for o in observations
        if (o.preset, o.labeled.half) == (fitted.preset, fitted.half) and o.statistics.num_matches
    ]
    labels = np.array([o.labeled.same for o in chosen], dtype=bool)
    if not labels.any() or labels.all():
        return []
    features = np.array([feature_vector(o.statistics) for o in chosen])
    coefficients = fit_logistic(features, labels, balanced_weights(labels))
    return [round(float(value), NUM_DECIMALS) for value in coefficients]


def make_record(observations: Sequence[Observation], models: dict[str, list[float]]) -> Record:
    """Return everything that the page is made of, in columns; the fit can be repeated from it."""
    names = list(dict.fromkeys(o.labeled.pair.name for o in observations))
    labeled = {o.labeled.pair.name: o.labeled for o in observations}
    groups = dict.fromkeys((o.preset, o.keypoints) for o in observations)
    return {
        "about": {
            "command": command_line(),
            "date": today(),
            "machine": asdict(describe_machine()),
            "versions": installed_versions(),
        },
        "models": models,
        "pairs": {
            "name": names,
            "same": [labeled[name].same for name in names],
            "half": [labeled[name].half for name in names],
        },
        "observations": [
            {"preset": preset, "keypoints": keypoints}
            | columns_of([o for o in observations if (o.preset, o.keypoints) == (preset, keypoints)], names)
            for preset, keypoints in groups
        ],
    }


def merge(known: Record, new: Record) -> Record:
    """Return the known record with the presets of a new one, which is of the same pairs.

    The description of the known record is kept; for new presets it says when and how they were measured.
    """
    if known["pairs"] != new["pairs"]:
        raise SystemExit("the pairs of the record are others; measure all presets")
    presets = dict.fromkeys(group["preset"] for group in new["observations"])
    kept = [group for group in known["observations"] if group["preset"] not in presets]
    later = known["about"].get("later", {}) | dict.fromkeys(presets, new["about"])
    return {
        "about": known["about"] | {"later": later},
        "models": known["models"] | new["models"],
        "pairs": known["pairs"],
        "observations": kept + new["observations"],
    }


def columns_of(observations: Sequence[Observation], names: list[str]) -> dict[str, Any]:
    """Return the indices of the pairs, and one column per statistic."""
    rows = [asdict(o.statistics) for o in observations]
    return {"pairs": [names.index(o.labeled.pair.name) for o in observations]} | {
        name: [shorten(row[name]) for row in rows] for name in rows[0]
    }


def shorten(value: Any) -> Any:
    """Round a float to six significant digits."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
