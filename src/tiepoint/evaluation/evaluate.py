"""evaluate() and evaluate_preset(): both loops over a data set, under a protocol."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair
from tiepoint.evaluation.predict import predict
from tiepoint.evaluation.predictors import Predictor, PresetPredictor, describe
from tiepoint.evaluation.protocols import DEFAULT_PROTOCOL, Family, Prediction, Protocol, find_protocol
from tiepoint.evaluation.report import PairResult, Report
from tiepoint.evaluation.score import score
from tiepoint.feature_store import Store
from tiepoint.io.atomic import check_writable
from tiepoint.io.progress import Track, untracked
from tiepoint.presets import find_preset

Make: TypeAlias = Callable[[Prediction], Predictor]
"""What makes the program under evaluation for a protocol's settings."""


def evaluate(
    dataset: Dataset,
    make: Make,
    protocol: Protocol,
    *,
    store: str | os.PathLike[str] | None = None,
    track: Track = untracked,
) -> Report:
    """Predict to a store, score the store, report.

    Args:
        dataset: see `tiepoint.evaluation.datasets`.
        make: such as `lambda prediction: PresetPredictor("aliked+lightglue", prediction)`.
        protocol: a row of `PROTOCOLS`.
        store: folder where features and matches stay, so that a run that was killed goes on, and another scoring
            of the same matches takes seconds; None: a temporary one.
        track: shows progress.

    Raises:
        InvalidInput: the data set has no pairs, or the store can't be written.
        StoreError: the store was made with other settings.
    """
    if not dataset.pairs:
        why = f": {dataset.problems[0]}" if dataset.problems else ""
        raise InvalidInput(f"data set {dataset.name!r} has no pair to evaluate{why}")
    names: set[str] = set()
    rows: list[PairResult] = []
    problems = list(dataset.problems)
    with _folder(store) as folder:
        for family, pairs in _families(dataset, protocol).items():
            setup = protocol.setup(family)
            predictor = make(setup.prediction)
            place = Store(folder / family, describe(predictor, setup.prediction))
            predictions = predict(pairs, predictor, place, track=track)
            scored, unfit = score(pairs, predictions, setup, track=track)
            rows += scored
            problems += [*predictions.problems, *unfit]
            names.add(predictor.name)
    return Report(
        predictor=" ".join(names),
        dataset=dataset.name,
        protocol=asdict(protocol),
        rows=rows,
        problems=problems,
    )


def evaluate_preset(
    dataset: str,
    path: str | os.PathLike[str],
    *,
    preset: str,
    protocol: str = DEFAULT_PROTOCOL,
    store: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    device: str = "auto",
    accept_license: bool = False,
    progress: bool = False,
    track: Track = untracked,
) -> Report:
    """Read a data set, evaluate a preset on it, and write the report.

    Args:
        dataset: name of its reader, see `tiepoint.evaluation.datasets.READERS`.
        path: of the data set; "#PART" behind it: a part of it.
        preset: see `tiepoint presets`.
        protocol: see `tiepoint.evaluation.protocols.PROTOCOLS`.
        store: see `evaluate`.
        json: where to write the report.
        limit: evaluate so many pairs, spread over the data set; None: all.
        device: see `tiepoint.load`.
        accept_license: likewise.
        progress: whether to show downloads of weights on stderr.
        track: shows the progress of the evaluation.

    Raises:
        InvalidInput: an unknown name, a data set that can't be read, a file that can't be written.
        StoreError: the store was made with other settings.
        WeightsError: weights can't be found, fetched or loaded.
    """
    find_preset(preset)
    row = find_protocol(protocol)
    if json is not None:
        check_writable(json)
    chosen = limited(read_dataset(dataset, os.fspath(path)), limit)
    make = partial(PresetPredictor, preset, device=device, accept_license=accept_license, progress=progress)
    report = evaluate(chosen, make, row, store=store, track=track)
    if json is not None:
        report.save(json)
    return report


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """So many of the pairs, spread over the data set."""
    count = len(dataset.pairs)
    if limit is None or limit >= count:
        return dataset
    return replace(dataset, pairs=tuple(dataset.pairs[index * count // limit] for index in range(limit)))


def _families(dataset: Dataset, protocol: Protocol) -> dict[Family, list[EvaluationPair]]:
    found: dict[Family, list[EvaluationPair]] = {}
    for pair in dataset.pairs:
        found.setdefault(protocol.family(dataset.name, pair.truth), []).append(pair)
    return found


@contextmanager
def _folder(store: str | os.PathLike[str] | None) -> Iterator[Path]:
    if store is not None:
        yield Path(store)
        return
    with tempfile.TemporaryDirectory(prefix="tiepoint-eval-") as folder:
        yield Path(folder)
