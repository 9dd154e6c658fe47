"""Forecast of a run: time, bytes, tasks and requests for N images, from the rates that an earlier run measured."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiepoint.collection.pairs.covisibility import PARTNERS_PER_IMAGE
from tiepoint.collection.pairs.pair_list import check_pair_list
from tiepoint.collection.pairs.selection import LOOPS_PER_IMAGE, PairSelection, parse_pair_selection
from tiepoint.collection.report.run_report import JSON
from tiepoint.collection.run.planning import IMAGES_PER_TILE, IMAGES_PER_UNIT, PAIRS_PER_UNIT
from tiepoint.collection.run.stages import MIN_PAIRS_PER_UNIT, TARGET_UNITS
from tiepoint.collection.state import KINDS, Stores, read_state, stores_location
from tiepoint.errors import InvalidInput

STEPS: Mapping[str, tuple[str, ...]] = {
    "features": ("read", "extract"),
    "matches": ("match",),
    "verified": ("verify",),
}
"""Kind of record -> steps whose durations are those of its stage."""

STAGES: Mapping[str, str] = {"features": "extract", "matches": "match", "verified": "verify"}
NAMES_PER_LISTING = 1000
"""Names in one answer of an object store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one record cost in an earlier run.

    Attributes:
        seconds: Kind of record ("features", "matches", "verified") -> duration per record on one worker in s.
        size_bytes: Kind of record -> size per record.
    """

    seconds: Mapping[str, float]
    size_bytes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageForecast:
    """Forecast of one stage.

    Attributes:
        name: Name of the stage: "extract", "match" or "verify".
        records: Number of images or pairs.
        tasks: Number of tasks; each writes one file.
        seconds: Duration in s.
        size_bytes: Size of the records.
        reads: Maximum number of files that the tasks read, without any cache.
        requests: Maximum number of requests to an object store: reads, writes and listings.
    """

    name: str
    records: int
    tasks: int
    seconds: float
    size_bytes: float
    reads: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Forecast of a run.

    Attributes:
        images: Number of images.
        pairs: Number of pairs; of retrieval and spatial pairs the maximum.
        workers: Number of workers.
        stages: Forecast of each stage.
    """

    images: int
    pairs: int
    workers: int
    stages: tuple[StageForecast, ...]

    @property
    def seconds(self) -> float:
        """Duration in s."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def size_bytes(self) -> float:
        """Size of all records."""
        return sum(stage.size_bytes for stage in self.stages)


def measure_rates(out: str | os.PathLike[str]) -> Rates:
    """Return the rates of the last run of a collection.

    Args:
        out: Output folder of a finished run, which computed at least one record of each kind.

    Raises:
        InvalidInput: If there is no such run.
        StoreError: If its stores cannot be read.
    """
    folder = Path(out)
    state = read_state(folder)
    try:
        report = json.loads((folder / JSON).read_text(encoding="utf-8"))
        new, work = report["new"], report["work_seconds"]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"{folder} has no report of a finished run; finish one on a sample of the images"
        ) from error
    kinds = [kind for kind in KINDS if kind != "verified" or state.options["verify"]]
    missing = [kind for kind in kinds if not new.get(kind)]
    if missing:
        raise InvalidInput(
            f"the last run of {folder} computed no {missing[0]}, because they existed; run a sample of the images into a new "
            "folder"
        )
    write = work.get("write", 0.0) / sum(new[kind] for kind in kinds)
    seconds = {kind: sum(work.get(step, 0.0) for step in STEPS[kind]) / new[kind] + write for kind in kinds}
    stores = Stores.open(stores_location(folder, state.stores), state.settings, check="headers")
    return Rates(seconds=seconds, size_bytes={kind: _bytes_per_record(stores, kind) for kind in kinds})


def forecast(num_images: int, pairs: str, rates: Rates, *, workers: int = 1) -> Forecast:
    """Return the forecast of a run with as many workers as the machines have in sum, all equally fast.

    Args:
        num_images: Number of images.
        pairs: Pair selection, as for `match_collection`.
        rates: Rates per worker.
        workers: Number of workers.

    Raises:
        InvalidInput: If a number is not positive, or the selection is invalid.
    """
    if num_images < 1 or workers < 1:
        raise InvalidInput(f"expected positive numbers of images and workers, got {num_images} and {workers}")
    selection = parse_pair_selection(pairs)
    num_pairs = count_pairs(selection, num_images)
    images_per_task = max(1, min(IMAGES_PER_UNIT, num_images // TARGET_UNITS))
    pairs_per_task = max(MIN_PAIRS_PER_UNIT, min(PAIRS_PER_UNIT, num_pairs // TARGET_UNITS))
    feature_reads = _feature_files(num_images, num_pairs, pairs_per_task, images_per_task)
    sizes = {"features": images_per_task, "matches": pairs_per_task, "verified": pairs_per_task}
    reads = {"features": 0, "matches": feature_reads, "verified": feature_reads + 1}
    stages = []
    for kind in rates.seconds:
        count = num_images if kind == "features" else num_pairs
        tasks = math.ceil(count / sizes[kind])
        num_reads = tasks * reads[kind]
        stages.append(
            StageForecast(
                name=STAGES[kind],
                records=count,
                tasks=tasks,
                seconds=count * rates.seconds[kind] / min(workers, max(tasks, 1)),
                size_bytes=count * rates.size_bytes[kind],
                reads=num_reads,
                requests=num_reads + tasks + math.ceil(tasks / NAMES_PER_LISTING),
            )
        )
    return Forecast(images=num_images, pairs=num_pairs, workers=workers, stages=tuple(stages))


def count_pairs(selection: PairSelection, num_images: int) -> int:
    """Return the number of pairs of a selection; of neighbors by retrieval, position or model the maximum, if no choice is mutual.

    Args:
        selection: Pair selection.
        num_images: Number of images.

    Raises:
        InvalidInput: If a list cannot be read.
    """
    every = num_images * (num_images - 1) // 2
    if selection.method == "exhaustive":
        return every
    if selection.method == "list":
        check_pair_list(selection.argument)
        with Path(selection.argument).expanduser().open(encoding="utf-8") as lines:
            return min(every, sum(1 for line in lines if line.strip() and not line.startswith("#")))
    count = PARTNERS_PER_IMAGE if selection.method == "covisible" else selection.count
    count = min(count, num_images - 1)
    if selection.method == "sequential":
        in_sequence = count * num_images - count * (count + 1) // 2
        return min(every, in_sequence + LOOPS_PER_IMAGE * num_images * selection.closes_loops)
    return min(every, count * num_images)


def _feature_files(num_images: int, num_pairs: int, pairs_per_task: int, images_per_file: int) -> int:
    """Return the maximum number of files with features that a task of matching reads.

    A task has consecutive rows of a tile of the pair matrix.
    """
    columns = min(IMAGES_PER_TILE, max(1, math.ceil(num_pairs / num_images)))
    rows = math.ceil(pairs_per_task / columns)
    first = math.ceil(rows / images_per_file) + 1
    second = min(rows * columns, math.ceil(columns / images_per_file) + rows)
    return min(first + second, math.ceil(num_images / images_per_file))


def _bytes_per_record(stores: Stores, kind: str) -> float:
    store = stores.of(kind)
    size = sum(store.storage.fetch(kind, shard).stat().st_size for shard in store.shards(kind))
    return size / max(1, len(store.done(kind)))
