"""Stages of a run: extract, select pairs, match, verify. Each computes only the records that the stores lack."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.pairs_file import (
    pairs_provenance,
    plain_name_problems,
    write_selected_pairs,
)
from tiepoint.collection.pairs.selection import SelectedPairs, parse_pair_selection, select_pairs
from tiepoint.collection.run.executors.registry import Executor
from tiepoint.collection.run.planning import (
    IMAGES_PER_UNIT,
    PAIRS_PER_UNIT,
    MatchUnit,
    plan_extraction,
    plan_matching,
)
from tiepoint.collection.run.progress_writer import ProgressWriter
from tiepoint.collection.run.provenance import STALE
from tiepoint.collection.run.tasks import Extract, Match, Task, Verify
from tiepoint.collection.state import KINDS, Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record
from tiepoint.io.progress import ProgressCallback
from tiepoint.types import Features

logger = logging.getLogger(__name__)

TARGET_UNITS = 64
"""Minimum number of shards into which small collections are cut, so that several workers are busy."""

MIN_PAIRS_PER_UNIT = 8
"""Minimum number of pairs per shard: LightGlue processes pairs in batches."""

PAIRS_PER_LOOKUP = 10_000
"""Number of pairs whose keys are looked up together."""


class RunLog:
    """Durations, counts and messages of a run, for its report.

    Args:
        progress: Callback that shows the progress.

    Attributes:
        seconds: Duration of each stage in s.
        work_seconds: Duration of each step in s, summed over all workers.
        new: Number of new records of each kind.
        unreadable: Number of image files that cannot be read.
        problems: Messages about data that was left out, and why.
        notes: Messages for information.
    """

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self.work_seconds: Counter[str] = Counter()
        self.new: Counter[str] = Counter()
        self.unreadable = 0
        self.problems: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to a stage."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start

    def contents(self) -> dict[str, Any]:
        """Return the fields of the report."""
        return {
            "new": dict(self.new),
            "seconds": self.seconds,
            "work_seconds": dict(self.work_seconds),
            "problems": tuple(self.problems),
            "notes": tuple(self.notes),
        }


class Stages:
    """The stages of a run over a fixed set of images.

    Args:
        images: Images with a readable header, in natural sort order.
        stores: Stores of the records.
        executor: Executor that computes them.
        log: Log of the run.
        progress: Writer of its live progress.
    """

    def __init__(
        self,
        images: tuple[ImageRecord, ...],
        stores: Stores,
        executor: Executor,
        log: RunLog,
        progress: ProgressWriter,
    ) -> None:
        self.images = images
        self._stores = stores
        self._executor = executor
        self._log = log
        self._progress = progress

    def check(self) -> None:
        """Check all stores; damaged shards are quarantined."""
        for kind in KINDS:
            with self._log.timed("check"):
                self._stores.of(kind).done(kind)
            self._log.notes += self._stores.of(kind).warnings

    def extract(self) -> None:
        """Compute missing features; images that cannot be read remain without."""
        done = self._stores.features.done("features")
        size = max(1, min(IMAGES_PER_UNIT, len(self.images) // TARGET_UNITS))
        units = list(plan_extraction(self.images, done, size=size))
        total = sum(len(unit.images) for unit in units)
        self._run("features", "extract", total, (Extract(unit.images) for unit in units))
        self._quarantine_stale("matches", "features")

    def usable(self) -> tuple[ImageRecord, ...]:
        """Return the images with features."""
        done = self._stores.features.done("features")
        has_features = done.contains([image.key for image in self.images])
        return tuple(image for image, known in zip(self.images, has_features, strict=True) if known)

    def select(self, pairs: str, folder: Path) -> SelectedPairs:
        """Select pairs of usable images and write them to the output folder.

        Args:
            pairs: Pair selection, as for `match_collection`.
            folder: Output folder.
        """
        usable = self.usable()
        keys = {image.name: image.key for image in usable}

        def read_features(name: str) -> Features:
            return features_from_record(self._stores.features.read("features", keys[name]))

        with self._log.timed("pairs"), self._log.progress("pairs", 0):
            selected = select_pairs(parse_pair_selection(pairs), usable, read_features=read_features)
        self._log.problems += selected.problems
        if not len(selected):
            self._log.problems.append(f"no pairs: {pairs} selects none among {len(usable)} images")
        provenance = pairs_provenance(pairs, usable, self._stores.features.settings)
        write_selected_pairs(folder, selected, provenance)
        self._note_names(usable)
        return selected

    def _note_names(self, images: Sequence[ImageRecord]) -> None:
        """Note names that other programs cannot read in `pairs.txt`."""
        problems = plain_name_problems(image.name for image in images)
        if problems:
            self._log.notes.append(
                f"{len(problems)} image names contain white space or start with # (for example {problems[0]!r}); COLMAP "
                "and hloc cannot read them in pairs.txt"
            )

    def match(self, selected: SelectedPairs) -> None:
        """Compute missing matches."""
        self._run_pairs("matches", "match", selected, self._match_task)
        self._quarantine_stale("verified", "matches")

    def verify(self, selected: SelectedPairs) -> None:
        """Compute missing two-view geometries."""
        self._run_pairs("verified", "verify", selected, self._verify_task)

    def count(self, selected: SelectedPairs) -> dict[str, int]:
        """Count matched and verified pairs, matches and inliers, including those of earlier runs.

        Memory does not grow with the number of pairs.
        """
        stores = self._stores
        pairs, matches = _sum_fields(stores.matches, "matches", _pair_keys(selected), "num_matches")
        _, inliers, verified = _sum_fields(
            stores.verified, "verified", _pair_keys(selected), "num_inliers", "success"
        )
        counts = {"pairs": pairs, "matches": matches, "verified": verified, "inliers": inliers}
        if "prescreen" in stores.matches.settings:
            _, counts["prescreened"] = _sum_fields(
                stores.matches, "matches", _pair_keys(selected), "prescreened"
            )
        return counts

    def count_keypoints(self) -> int:
        """Return the total number of keypoints of all usable images."""
        keys = [image.key for image in self.images]
        return _sum_fields(self._stores.features, "features", [keys], "num_keypoints")[1]

    def _run_pairs(
        self, kind: str, stage: str, selected: SelectedPairs, make_task: Callable[[MatchUnit], Task]
    ) -> None:
        done = self._stores.of(kind).done(kind)
        size = max(MIN_PAIRS_PER_UNIT, min(PAIRS_PER_UNIT, len(selected) // TARGET_UNITS))
        units = plan_matching(selected, done, size=size)
        num_done = sum(int(done.contains(keys).sum()) for keys in _pair_keys(selected)) if len(done) else 0
        self._run(kind, stage, len(selected) - num_done, map(make_task, units))

    def _quarantine_stale(self, kind: str, source: str) -> None:
        """Quarantine records whose inputs may have been recomputed.

        The inputs were recomputed in this run; or in a run that was killed before this point, or one with another store
        of this kind. In the latter cases a shard was quarantined.
        """
        sources, store = self._stores.of(source), self._stores.of(kind)
        may_be_stale = self._log.new[source] or sources.has_quarantined(source) or store.has_quarantined(kind)
        if not (may_be_stale and len(store.done(kind))):
            return
        with self._log.timed("check"):
            stale = list(STALE[kind](self._stores))
            for shard in stale:
                store.quarantine(kind, shard)
        if stale:
            self._log.notes.append(
                f"{len(stale)} files of {kind} were computed from {source} that have been recomputed since; they were "
                "quarantined and will be recomputed"
            )

    def _run(self, kind: str, stage: str, total: int, tasks: Iterable[Task]) -> None:
        """Run tasks and log their outcomes."""
        store, log = self._stores.of(kind), self._log
        logger.info("%s: %d records are missing", stage, total)
        self._progress.begin_stage(stage, total)
        with log.timed(stage), log.progress(stage, total) as advance:
            for outcome in self._executor.run(tasks):
                if outcome.shard:
                    store.register_shard(kind, outcome.shard, outcome.keys)
                log.new[kind] += len(outcome.keys)
                log.problems += outcome.problems
                log.work_seconds.update(outcome.seconds)
                self._progress.add(outcome)
                advance(outcome.size)

    def _match_task(self, unit: MatchUnit) -> Match:
        return Match(unit.pairs, self._features_shards(unit))

    def _verify_task(self, unit: MatchUnit) -> Verify:
        matches_shards = _find_shards(self._stores.matches, "matches", map(pair_key, unit.pairs))
        return Verify(unit.pairs, self._features_shards(unit) | matches_shards)

    def _features_shards(self, unit: MatchUnit) -> dict[str, str]:
        keys = dict.fromkeys(key for pair in unit.pairs for key in pair)
        return _find_shards(self._stores.features, "features", keys)


def _find_shards(store: Store, kind: str, keys: Iterable[str]) -> dict[str, str]:
    shards = {key: store.shard(kind, key) for key in keys}
    return {key: shard for key, shard in shards.items() if shard is not None}


def _pair_keys(selected: SelectedPairs) -> Iterator[list[str]]:
    """Yield the keys of all pairs in batches."""
    keys = [image.key for image in selected.images]
    for block in selected.blocks():
        for start in range(0, len(block), PAIRS_PER_LOOKUP):
            batch = block[start : start + PAIRS_PER_LOOKUP].tolist()
            yield [pair_key((keys[first], keys[second])) for first, second in batch]


def _sum_fields(store: Store, kind: str, batches: Iterable[list[str]], *fields: str) -> list[int]:
    """Return the number of existing records, and the sum of each of these fields.

    Args:
        store: Store of the records.
        kind: Kind of the records.
        batches: Keys of the records, each once. Consecutive pairs are in the same few shards, so that each shard is read
            only once or a few times.
        fields: Names of the fields.
    """
    sums = np.zeros(1 + len(fields), np.int64)
    for keys in batches:
        for shard, wanted in _group_by_shard(store, kind, keys).items():
            records = store.records(kind, shard)
            rows = [[1, *(records[key][name] for name in fields)] for key in wanted]
            sums += np.sum(rows, axis=0, dtype=np.int64)
    return sums.tolist()


def _group_by_shard(store: Store, kind: str, keys: Iterable[str]) -> dict[str, list[str]]:
    """Return the keys of existing records, grouped by their shard."""
    groups: dict[str, list[str]] = {}
    for key, shard in _find_shards(store, kind, keys).items():
        groups.setdefault(shard, []).append(key)
    return groups
