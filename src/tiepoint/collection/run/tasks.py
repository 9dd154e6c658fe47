"""What a worker does: it loads the networks once, takes tasks one after the other, and leaves shards in the stores.

Workers share nothing but the stores. A task carries all that must be known, also in which shards its features are; it is
done whole or not at all, so that it may be given to another worker at any time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from tiepoint.api import load
from tiepoint.collection.images import ImageRecord
from tiepoint.collection.run.memory import release_free_memory
from tiepoint.collection.run.provenance import keypoints_digest, matches_digest, pair_inputs_digest
from tiepoint.collection.stores import Stores, estimate_to_record
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record, matches_to_record
from tiepoint.geometry.estimate import estimate_fundamental
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, Features

CACHE_SIZE = 128
"""Photographs whose features a worker keeps in memory: two tiles of the plan."""

Pair: TypeAlias = tuple[str, str]
"""The keys of two photographs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all workers are told.

    Attributes:
        preset: see `tiepoint presets`.
        load: options of `tiepoint.load`.
        max_error_px: an inlier's largest error, when matches are verified.
        stores: where the stores are, a folder or a URL.
        threads: of torch, in the worker's own process; None: as they are.
    """

    preset: str
    load: dict[str, Any]
    max_error_px: float
    stores: str
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """Photographs whose features become one shard."""

    photographs: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Pairs whose matches become one shard; `shards` says where the features of each photograph are."""

    pairs: tuple[Pair, ...]
    shards: dict[str, str]


@dataclass(frozen=True, slots=True)
class Verify:
    """Pairs whose geometry becomes one shard; `shards` says where features, and matches by their `pair_key`, are."""

    pairs: tuple[Pair, ...]
    shards: dict[str, str]


Task: TypeAlias = Extract | Match | Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a task.

    Attributes:
        kind: of the records.
        shard: the name of the shard that was written; "" where there was nothing to write.
        keys: of its records.
        size: how many photographs or pairs the task had.
        problems: photographs that can't be used, a line each.
        seconds: duration of "read", "extract", "match", "verify", "write".
    """

    kind: str
    shard: str
    keys: tuple[str, ...]
    size: int
    problems: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


class Worker:
    """One process's share of the work.

    Args:
        job: what all workers are told.

    Raises:
        InvalidInput: an option that can't be.
        WeightsError: weights can't be found, fetched or loaded.
    """

    def __init__(self, job: Job) -> None:
        if job.threads is not None:
            import torch

            torch.set_num_threads(job.threads)
        self.job = job
        self._matcher = load(job.preset, **job.load)
        self._features: OrderedDict[str, Features] = OrderedDict()

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """What decides the records of each kind; the same for all workers of a run."""
        return record_settings(self._matcher, self.job.max_error_px)

    def do(self, task: Task) -> Outcome:
        """Do a task, and write its shard.

        Raises:
            InvalidInput: the shard can't be written.
            StoreError: features or matches that it needs are damaged.
        """
        outcome = TASKS[type(task)](self, task)
        release_free_memory()
        return outcome

    def _extract(self, task: Extract) -> Outcome:
        watch = Timer()
        records: dict[str, Any] = {}
        problems = []
        by_content: dict[str, Features] = {}
        for photograph in task.photographs:
            try:
                if photograph.digest not in by_content:
                    by_content[photograph.digest] = self._features_of(photograph)
                records[photograph.key] = _features_record(photograph.key, by_content[photograph.digest])
            except (InvalidInput, OSError) as error:
                problems.append(f"{photograph.name}: {error}")
        watch.lap("extract")
        return self._written("features", records, task.photographs, watch, tuple(problems))

    def _features_of(self, photograph: ImageRecord) -> Features:
        check_unchanged(photograph)
        features = self._matcher.extract(photograph.path)
        check_unchanged(photograph)
        return features

    def _match(self, task: Match) -> Outcome:
        watch = Timer()
        features = {key: self._read_features(key, task.shards[key]) for pair in task.pairs for key in pair}
        watch.lap("read")
        results = self._matcher.match_features(
            [(features[key0], features[key1]) for key0, key1 in task.pairs]
        )
        watch.lap("match")
        digests = {key: keypoints_digest(key, features[key].keypoints.numpy()) for key in features}
        records = {
            pair_key(pair): _matches_record(result, pair_inputs_digest(pair, digests))
            for pair, result in zip(task.pairs, results, strict=True)
        }
        return self._written("matches", records, task.pairs, watch)

    def _verify(self, task: Verify) -> Outcome:
        watch = Timer()
        keypoints = {
            key: self._stores.features.read("features", key, "keypoints", shard=task.shards[key])["keypoints"]
            for key in dict.fromkeys(key for pair in task.pairs for key in pair)
        }
        watch.lap("read")
        digests = {key: keypoints_digest(key, keypoints[key]) for key in keypoints}
        records = {
            pair_key(pair): self._estimate(
                pair, keypoints, pair_inputs_digest(pair, digests), task.shards[pair_key(pair)]
            )
            for pair in task.pairs
        }
        watch.lap("verify")
        return self._written("verified", records, task.pairs, watch)

    def _estimate(
        self, pair: Pair, keypoints: dict[str, np.ndarray], origin: str, shard: str
    ) -> dict[str, Any]:
        key = pair_key(pair)
        found = self._stores.matches.read("matches", key, shard=shard)
        if found.get("made_of") not in (None, origin):
            self._stores.matches.quarantine("matches", shard)
            raise StoreError(
                f"the matches of {key!r} were made of other features than there are now, and were set aside; "
                "run the same command again"
            )
        points0, points1 = (keypoints[image][found["matches"][:, side]] for side, image in enumerate(pair))
        matched = Correspondences.from_points(points0, points1, found["scores"])
        estimate = estimate_fundamental(matched, max_error_px=self.job.max_error_px, seed=0)
        return estimate_to_record(estimate) | {"made_of": found.get("digest")}

    def _read_features(self, key: str, shard: str) -> Features:
        """Features as the store has them, the least recently asked for making room for new ones."""
        if key not in self._features:
            self._features[key] = features_from_record(
                self._stores.features.read("features", key, shard=shard)
            )
            if len(self._features) > CACHE_SIZE:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]

    def _written(
        self,
        kind: str,
        records: dict[str, Any],
        items: tuple[Any, ...],
        watch: "_Watch",
        problems: tuple[str, ...] = (),
    ) -> Outcome:
        shard = self._stores.of(kind).write(kind, records).name if records else ""
        watch.lap("write")
        return Outcome(
            kind=kind,
            shard=shard,
            keys=tuple(records),
            size=len(items),
            problems=problems,
            seconds=watch.seconds,
        )

    @cached_property
    def _stores(self) -> Stores:
        return Stores.open(self.job.stores, self.settings)


TASKS: dict[type, Callable[[Worker, Any], Outcome]] = {
    Extract: Worker._extract,
    Match: Worker._match,
    Verify: Worker._verify,
}
"""Kind of task -> what does it."""


def record_settings(matcher: Matcher, max_error_px: float) -> dict[str, dict[str, Any]]:
    """What decides the records of each kind; the settings of their stores."""
    features = {"tiepoint": version("tiepoint"), "features": matcher.extractor.fingerprint}
    matches = {**features, "matches": matcher.matcher.fingerprint}
    geometry = {"geometry": "fundamental by poselib, seed 0", "max_error_px": max_error_px}
    return {"features": features, "matches": matches, "verified": {**matches, **geometry}}


def _features_record(key: str, features: Features) -> dict[str, Any]:
    record = features_to_record(features)
    digest = keypoints_digest(key, record["keypoints"])
    return record | {"source": None, "num_keypoints": len(features), "digest": digest}


def _matches_record(result: MatchResult, made_of: str) -> dict[str, Any]:
    record = matches_to_record(result.matches, result.scores)
    return record | {
        "num_matches": len(result),
        "layers_run": result.layers_run,
        "made_of": made_of,
        "digest": matches_digest(made_of, record["matches"]),
    }


def check_unchanged(photograph: ImageRecord) -> None:
    """Raise InvalidInput where a file isn't any more what it was when the run began: its key would be wrong."""
    status = photograph.path.stat()
    if (status.st_size, status.st_mtime_ns) != (photograph.size_bytes, photograph.modified_ns):
        raise InvalidInput("it changed while the run was going on; run it again")


class Timer:
    """Seconds of one stage after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begin = perf_counter()

    def lap(self, stage: str) -> None:
        """What passed since the last stage ended was this one."""
        now = perf_counter()
        self.seconds[stage] = now - self._begin
        self._begin = now
