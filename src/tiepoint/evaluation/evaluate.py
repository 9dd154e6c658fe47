"""evaluate() and evaluate_preset(): prediction and scoring of a data set under a protocol."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair
from tiepoint.evaluation.predict import Predictions, predict
from tiepoint.evaluation.predictors import Predictor, PresetPredictor, describe
from tiepoint.evaluation.protocols import DEFAULT_PROTOCOL, Family, Prediction, Protocol, find_protocol
from tiepoint.evaluation.report import PairResult, Report
from tiepoint.evaluation.score import score
from tiepoint.feature_store import Store
from tiepoint.io.atomic import check_writable
from tiepoint.io.progress import ProgressCallback, no_progress
from tiepoint.io.temporary import TemporaryFolder
from tiepoint.presets import find_preset
from tiepoint.types.options import Stretch

PredictorFactory: TypeAlias = Callable[[Prediction], Predictor]
# Creates the method under evaluation for the settings of a protocol


def evaluate(
    dataset: Dataset,
    make_predictor: PredictorFactory,
    protocol: Protocol,
    *,
    store: str | os.PathLike[str] | None = None,
    progress: ProgressCallback = no_progress,
) -> Report:
    """Predict matches to a store, score them, and return the report.

    Args:
        dataset: Data set with ground truth.
        make_predictor: Factory, for example `lambda prediction: PresetPredictor("aliked+lightglue", prediction)`.
        protocol: Protocol of `PROTOCOLS`.
        store: Folder for features and matches, with which interrupted runs resume and repeated scoring takes seconds;
            None uses a temporary folder.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If the data set has no pairs, or the store cannot be written.
        StoreError: If the store was created with other settings.
    """
    if not dataset.pairs:
        reason = f": {dataset.problems[0]}" if dataset.problems else ""
        raise InvalidInput(f"data set {dataset.name!r} has no valid pairs{reason}")
    names: set[str] = set()
    rows: list[PairResult] = []
    problems = list(dataset.problems)
    with _folder(store) as folder:
        for family, pairs in _families(dataset, protocol).items():
            setup = protocol.setup(family)
            predictor = make_predictor(setup.prediction)
            predicted = Store(folder / family, describe(predictor, setup.prediction))
            predictions = predict(pairs, predictor, predicted, progress=progress)
            scored, unscored = score(pairs, predictions, setup, progress=progress)
            kept = None if store is None else (folder / family).absolute()
            rows += [_with_matches(row, predictions, kept) for row in scored]
            problems += [*predictions.problems, *unscored]
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
    stretch: Stretch = None,
    device: str = "auto",
    accept_license: bool = False,
    progress: ProgressCallback = no_progress,
) -> Report:
    """Read a data set, evaluate a preset on it, and write the report.

    Args:
        dataset: Name of the reader, one of `tiepoint.evaluation.datasets.READERS`.
        path: Root of the data set; append "#SUBSET" to select a subset.
        preset: Name of a preset, see `tiepoint presets`.
        protocol: Name of a protocol of `tiepoint.evaluation.protocols.PROTOCOLS`.
        store: Folder for features and matches, as for `evaluate`.
        json: Path of the report.
        limit: Number of pairs to evaluate, sampled uniformly; None evaluates all.
        stretch: Percentile stretch of images, as for `tiepoint.load`.
        device: Device, as for `tiepoint.load`.
        accept_license: Accept weights whose license forbids commercial use.
        progress: Callback that shows the progress; any but `no_progress` also shows downloads of weights on stderr.

    Raises:
        InvalidInput: If a name is unknown, the data set cannot be read, or the report cannot be written.
        StoreError: If the store was created with other settings.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    find_preset(preset)
    row = find_protocol(protocol)
    if json is not None:
        check_writable(json)
    chosen = subsample(read_dataset(dataset, os.fspath(path)), limit)
    make_predictor = partial(
        PresetPredictor,
        preset,
        stretch=stretch,
        device=device,
        accept_license=accept_license,
        progress=progress is not no_progress,
    )
    report = evaluate(chosen, make_predictor, row, store=store, progress=progress)
    if json is not None:
        report.save(json)
    return report


def subsample(dataset: Dataset, limit: int | None) -> Dataset:
    """Return at most `limit` pairs, sampled uniformly."""
    count = len(dataset.pairs)
    if limit is None or limit >= count:
        return dataset
    return replace(dataset, pairs=tuple(dataset.pairs[index * count // limit] for index in range(limit)))


def _with_matches(row: PairResult, predictions: Predictions, store: Path | None) -> PairResult:
    """Add the location of the matches of a pair, if they are kept."""
    if store is None:
        return row
    image0, image1 = predictions.images[row.pair]
    return replace(row, matches={"store": str(store), "image0": image0, "image1": image1})


def _families(dataset: Dataset, protocol: Protocol) -> dict[Family, list[EvaluationPair]]:
    families: dict[Family, list[EvaluationPair]] = {}
    for pair in dataset.pairs:
        families.setdefault(protocol.family(dataset.name, pair.truth), []).append(pair)
    return families


@contextmanager
def _folder(store: str | os.PathLike[str] | None) -> Iterator[Path]:
    if store is not None:
        yield Path(store)
        return
    with TemporaryFolder("eval") as folder:
        yield folder
