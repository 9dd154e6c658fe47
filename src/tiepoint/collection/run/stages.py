"""The stages of a run: extract, choose pairs, match, verify. Each does what the stores lack, and no more."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import SelectedPairs, select_pairs, parse_pair_selection
from tiepoint.collection.progress import Progress
from tiepoint.collection.run.executors.registry import Executor
from tiepoint.collection.run.planning import (
    IMAGES_PER_UNIT,
    PAIRS_PER_UNIT,
    MatchUnit,
    plan_extraction,
    plan_matching,
)
from tiepoint.collection.run.provenance import STALE
from tiepoint.collection.run.tasks import Extract, Match, Task, Verify
from tiepoint.collection.state import pairs_provenance, write_selected_pairs
from tiepoint.collection.stores import KINDS, Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record
from tiepoint.types import Features

TARGET_UNITS = 64
"""A small collection is cut into so many shards, that several workers have something to do."""

MIN_PAIRS_PER_UNIT = 8
"""Pairs that a shard has at least: LightGlue takes several at a time."""

BATCH = 10_000
"""Pairs that are looked up at a time."""


class RunLog:
    """What a run notes as it goes on.

    Args:
        progress: shows how far it is.

    Attributes:
        seconds: duration of each stage.
        work_seconds: the same of all workers together.
        new: kind of record -> how many were made.
        unreadable: number of files that are no photographs.
        problems: what was left out and why.
        notes: what is worth knowing.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self.work_seconds: Counter[str] = Counter()
        self.new: Counter[str] = Counter()
        self.unreadable = 0
        self.problems: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count what passes as this stage."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - begin

    def contents(self) -> dict[str, Any]:
        """What belongs into the report."""
        return {
            "new": dict(self.new),
            "seconds": self.seconds,
            "work_seconds": dict(self.work_seconds),
            "problems": tuple(self.problems),
            "notes": tuple(self.notes),
        }


class Stages:
    """A run over one set of photographs.

    Args:
        photographs: those whose header can be read, in natural order.
        stores: where records are.
        workers: who makes them.
        diary: takes notes.
    """

    def __init__(
        self, photographs: tuple[ImageRecord, ...], stores: Stores, workers: Executor, diary: RunLog
    ) -> None:
        self.photographs = photographs
        self._stores = stores
        self._workers = workers
        self._diary = diary

    def check(self) -> None:
        """Look through all stores; damaged shards are set aside."""
        for kind in KINDS:
            with self._diary.timed("check"):
                self._stores.of(kind).done(kind)
            self._diary.notes += self._stores.of(kind).warnings

    def extract(self) -> None:
        """Make the features that are missing; photographs that can't be read stay without."""
        done = self._stores.features.done("features")
        size = max(1, min(IMAGES_PER_UNIT, len(self.photographs) // TARGET_UNITS))
        units = list(plan_extraction(self.photographs, done, size=size))
        total = sum(len(unit.photographs) for unit in units)
        self._do("features", "extract", total, (Extract(unit.photographs) for unit in units))
        self._set_stale_aside("matches", "features")

    def usable(self) -> tuple[ImageRecord, ...]:
        """Photographs that have features."""
        done = self._stores.features.done("features")
        there = done.contains([photograph.key for photograph in self.photographs])
        return tuple(photograph for photograph, found in zip(self.photographs, there, strict=True) if found)

    def choose(self, pairs: str, folder: Path) -> SelectedPairs:
        """Choose pairs of usable photographs, and write them down."""
        usable = self.usable()
        keys = {photograph.name: photograph.key for photograph in usable}

        def features_of(name: str) -> Features:
            return features_from_record(self._stores.features.read("features", keys[name]))

        with self._diary.timed("pairs"), self._diary.progress("pairs", 0):
            chosen = select_pairs(parse_pair_selection(pairs), usable, features_of=features_of)
        self._diary.problems += chosen.problems
        if not len(chosen):
            self._diary.problems.append(f"no pairs: {pairs} finds none among {len(usable)} photographs")
        source = pairs_provenance(pairs, usable, self._stores.features.settings)
        write_selected_pairs(folder, chosen, source)
        return chosen

    def match(self, chosen: SelectedPairs) -> None:
        """Make the matches that are missing."""
        self._do_pairs("matches", "match", chosen, self._match_task)
        self._set_stale_aside("verified", "matches")

    def verify(self, chosen: SelectedPairs) -> None:
        """Make the geometry that is missing."""
        self._do_pairs("verified", "verify", chosen, self._verify_task)

    def count(self, chosen: SelectedPairs) -> dict[str, int]:
        """How many pairs are matched and verified, with how many matches and inliers, together with former runs.

        Memory doesn't grow with the pairs.
        """
        stores = self._stores
        pairs, matches = _sums(stores.matches, "matches", _pair_keys(chosen), "num_matches")
        _, inliers, verified = _sums(
            stores.verified, "verified", _pair_keys(chosen), "num_inliers", "success"
        )
        return {"pairs": pairs, "matches": matches, "verified": verified, "inliers": inliers}

    def count_keypoints(self) -> int:
        """Of all usable photographs together."""
        keys = [photograph.key for photograph in self.photographs]
        return _sums(self._stores.features, "features", [keys], "num_keypoints")[1]

    def _do_pairs(
        self, kind: str, stage: str, chosen: SelectedPairs, task: Callable[[MatchUnit], Task]
    ) -> None:
        done = self._stores.of(kind).done(kind)
        size = max(MIN_PAIRS_PER_UNIT, min(PAIRS_PER_UNIT, len(chosen) // TARGET_UNITS))
        units = plan_matching(chosen, done, size=size)
        known = sum(int(done.contains(keys).sum()) for keys in _pair_keys(chosen)) if len(done) else 0
        total = len(chosen) - known
        self._do(kind, stage, total, map(task, units))

    def _set_stale_aside(self, kind: str, source: str) -> None:
        """Where records of the source may have been made again, have what was made of the former ones count no more.

        They may have been in this run; or in one that was killed before it came here, or one with another store of
        this kind, but then a file was set aside.
        """
        sources, store = self._stores.of(source), self._stores.of(kind)
        perhaps = self._diary.new[source] or sources.has_quarantined(source) or store.has_quarantined(kind)
        if not (perhaps and len(store.done(kind))):
            return
        with self._diary.timed("check"):
            stale = list(STALE[kind](self._stores))
            for shard in stale:
                store.quarantine(kind, shard)
        if stale:
            self._diary.notes.append(
                f"{len(stale)} files of {kind} were made of {source} that have been made again since; "
                "they were set aside, and what they held is made again"
            )

    def _do(self, kind: str, stage: str, total: int, tasks: Iterable[Task]) -> None:
        """Have tasks done, and take notes of what came of them."""
        store, diary = self._stores.of(kind), self._diary
        with diary.timed(stage), diary.progress(stage, total) as advance:
            for outcome in self._workers.run(tasks):
                if outcome.shard:
                    store.register_shard(kind, outcome.shard, outcome.keys)
                diary.new[kind] += len(outcome.keys)
                diary.problems += outcome.problems
                diary.work_seconds.update(outcome.seconds)
                advance(outcome.size)

    def _match_task(self, unit: MatchUnit) -> Match:
        return Match(unit.pairs, self._features_shards(unit))

    def _verify_task(self, unit: MatchUnit) -> Verify:
        keys = map(pair_key, unit.pairs)
        return Verify(
            unit.pairs, self._features_shards(unit) | _shards(self._stores.matches, "matches", keys)
        )

    def _features_shards(self, unit: MatchUnit) -> dict[str, str]:
        return _shards(
            self._stores.features, "features", dict.fromkeys(key for pair in unit.pairs for key in pair)
        )


def _shards(store: Store, kind: str, keys: Iterable[str]) -> dict[str, str]:
    found = {key: store.shard(kind, key) for key in keys}
    return {key: shard for key, shard in found.items() if shard is not None}


def _pair_keys(chosen: SelectedPairs) -> Iterator[list[str]]:
    """The keys of all pairs, some at a time."""
    keys = [photograph.key for photograph in chosen.photographs]
    for block in chosen.blocks():
        for start in range(0, len(block), BATCH):
            some = block[start : start + BATCH].tolist()
            yield [pair_key((keys[first], keys[second])) for first, second in some]


def _sums(store: Store, kind: str, blocks: Iterable[list[str]], *values: str) -> list[int]:
    """How many of the wanted records there are, and the sum of each of these plain values.

    Args:
        store: of the records.
        kind: of them.
        blocks: the keys of those that are wanted, each once. Pairs that follow each other are in the same few shards,
            so that each shard is read once, or a few times.
        values: names.
    """
    sums = np.zeros(1 + len(values), np.int64)
    for keys in blocks:
        for shard, wanted in _by_shard(store, kind, keys).items():
            records = store.records(kind, shard)
            found = [[1, *(records[key][value] for value in values)] for key in wanted]
            sums += np.sum(found, axis=0, dtype=np.int64)
    return sums.tolist()


def _by_shard(store: Store, kind: str, keys: Iterable[str]) -> dict[str, list[str]]:
    """The keys of those records that there are, by the shard that holds them."""
    found: dict[str, list[str]] = {}
    for key, shard in _shards(store, kind, keys).items():
        found.setdefault(shard, []).append(key)
    return found
