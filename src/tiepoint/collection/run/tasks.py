"""Tasks of a run, and the worker that executes them: it loads the networks once and writes one shard per task.

Workers share only the stores. A task contains everything that it needs, including the names of the shards of its inputs,
and its result is written completely or not at all; so any other worker can repeat it.
"""

import os
import socket
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
from tiepoint.collection.run.provenance import keypoints_digest, matches_digest, pair_inputs_digest
from tiepoint.collection.state import Stores, estimate_to_record
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_from_record, features_to_record, matches_to_record
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.io.heap import release_free_memory
from tiepoint.matcher import Matcher
from tiepoint.matching.inputs import FeaturePair
from tiepoint.matching.prescreening import Prescreener
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, Features
from tiepoint.types.options import NetworkOptions

CACHE_SIZE = 128
"""Images whose features a worker keeps in memory: both sides of a tile of the plan."""

Pair: TypeAlias = tuple[str, str]
"""Keys of the two images of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Options that all workers of a run share.

    Attributes:
        preset: Name of the preset.
        load: Options of `tiepoint.load`.
        max_error_px: Inlier threshold (Sampson error) of the verification in px.
        stores: Folder or URL of the stores.
        threads: Number of torch threads in the worker's process; None leaves it unchanged.
        prescreen: Minimum probability of a pair that is matched in full; None matches all.
    """

    preset: str
    load: NetworkOptions
    max_error_px: float
    stores: str
    threads: int | None = None
    prescreen: float | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """Images whose features become one shard."""

    images: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Pairs whose matches become one shard; `shards` maps image keys to the shards of their features."""

    pairs: tuple[Pair, ...]
    shards: dict[str, str]


@dataclass(frozen=True, slots=True)
class Verify:
    """Pairs whose two-view geometry becomes one shard; `shards` also maps pair keys to the shards of their matches."""

    pairs: tuple[Pair, ...]
    shards: dict[str, str]


Task: TypeAlias = Extract | Match | Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a task.

    Attributes:
        kind: Kind of the records.
        shard: Name of the shard that was written; "" if there was nothing to write.
        keys: Keys of its records.
        size: Number of images or pairs of the task.
        problems: One message per image that cannot be used.
        seconds: Duration in s of the steps "read", "extract", "match", "verify", "write".
        worker: Host and process ID of the worker.
    """

    kind: str
    shard: str
    keys: tuple[str, ...]
    size: int
    problems: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    worker: str = ""


class Worker:
    """Executes tasks in one process.

    Args:
        job: Options of the run.

    Raises:
        InvalidInput: If an option is invalid.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """

    def __init__(self, job: Job) -> None:
        if job.threads is not None:
            import torch

            torch.set_num_threads(job.threads)
        self.job = job
        self._matcher = load(job.preset, **job.load)
        self._prescreener = None if job.prescreen is None else Prescreener(self._matcher.matcher, job.preset)
        self._features: OrderedDict[str, Features] = OrderedDict()

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Settings of the records of each kind; the same for all workers of a run."""
        return record_settings(self._matcher, self.job.max_error_px, self.job.prescreen)

    def run(self, task: Task) -> Outcome:
        """Execute a task and write its shard.

        Raises:
            InvalidInput: If the shard cannot be written.
            StoreError: If input features or matches are damaged.
        """
        outcome = TASKS[type(task)](self, task)
        release_free_memory()
        return outcome

    def _extract(self, task: Extract) -> Outcome:
        timer = Timer()
        records: dict[str, Any] = {}
        problems = []
        by_content: dict[str, Features] = {}
        for image in task.images:
            try:
                if image.digest not in by_content:
                    by_content[image.digest] = self._extract_image(image)
                records[image.key] = _features_record(image.key, by_content[image.digest])
            except (InvalidInput, OSError) as error:
                problems.append(f"{image.name}: {error}")
        timer.lap("extract")
        return self._write("features", records, len(task.images), timer, tuple(problems))

    def _extract_image(self, image: ImageRecord) -> Features:
        check_unchanged(image)
        features = self._matcher.extract(image.path)
        check_unchanged(image)
        return features

    def _match(self, task: Match) -> Outcome:
        timer = Timer()
        features = {key: self._read_features(key, task.shards[key]) for pair in task.pairs for key in pair}
        timer.lap("read")
        pairs = {pair: (features[pair[0]], features[pair[1]]) for pair in task.pairs}
        probabilities = self._prescreen(pairs, timer)
        chosen = [pair for pair in pairs if probabilities.get(pair, 1.0) >= (self.job.prescreen or 0.0)]
        results = dict(
            zip(chosen, self._matcher.match_features([pairs[pair] for pair in chosen]), strict=True)
        )
        timer.lap("match")
        digests = {key: keypoints_digest(key, features[key].keypoints.numpy()) for key in features}
        records = {}
        for pair in pairs:
            inputs = pair_inputs_digest(pair, digests)
            record = _matches_record(results[pair], inputs) if pair in results else _dropped_record(inputs)
            if probabilities:
                record |= {"prescreened": int(pair not in results), "probability": probabilities[pair]}
            records[pair_key(pair)] = record
        return self._write("matches", records, len(task.pairs), timer)

    def _prescreen(self, pairs: dict[Pair, FeaturePair], timer: "Timer") -> dict[Pair, float]:
        """Return the probability of each pair from a cheap match; empty if all pairs are matched in full."""
        if self._prescreener is None:
            return {}
        probabilities = self._prescreener.probabilities(list(pairs.values()))
        timer.lap("prescreen")
        return dict(zip(pairs, probabilities, strict=True))

    def _verify(self, task: Verify) -> Outcome:
        timer = Timer()
        keypoints = {
            key: self._stores.features.read("features", key, "keypoints", shard=task.shards[key])["keypoints"]
            for key in dict.fromkeys(key for pair in task.pairs for key in pair)
        }
        timer.lap("read")
        digests = {key: keypoints_digest(key, keypoints[key]) for key in keypoints}
        records = {
            pair_key(pair): self._estimate(
                pair, keypoints, pair_inputs_digest(pair, digests), task.shards[pair_key(pair)]
            )
            for pair in task.pairs
        }
        timer.lap("verify")
        return self._write("verified", records, len(task.pairs), timer)

    def _estimate(
        self, pair: Pair, keypoints: dict[str, np.ndarray], inputs_digest: str, shard: str
    ) -> dict[str, Any]:
        key = pair_key(pair)
        found = self._stores.matches.read("matches", key, shard=shard)
        if found.get("made_of") not in (None, inputs_digest):
            self._stores.matches.quarantine("matches", shard)
            raise StoreError(
                f"the matches of {key!r} were computed from other features than the current ones and were quarantined; "
                "run the same command again"
            )
        points0, points1 = (keypoints[image][found["matches"][:, side]] for side, image in enumerate(pair))
        matched = Correspondences.from_points(points0, points1, found["scores"])
        estimate = estimate_two_view(matched, max_error_px=self.job.max_error_px)
        return estimate_to_record(estimate) | {"made_of": found.get("digest")}

    def _read_features(self, key: str, shard: str) -> Features:
        """Return the features of an image from an LRU cache or the store."""
        if key not in self._features:
            self._features[key] = features_from_record(
                self._stores.features.read("features", key, shard=shard)
            )
            if len(self._features) > CACHE_SIZE:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]

    def _write(
        self, kind: str, records: dict[str, Any], size: int, timer: "Timer", problems: tuple[str, ...] = ()
    ) -> Outcome:
        shard = self._stores.of(kind).write(kind, records).name if records else ""
        timer.lap("write")
        return Outcome(
            kind=kind,
            shard=shard,
            keys=tuple(records),
            size=size,
            problems=problems,
            seconds=timer.seconds,
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )

    @cached_property
    def _stores(self) -> Stores:
        return Stores.open(self.job.stores, self.settings)


TASKS: dict[type, Callable[[Worker, Any], Outcome]] = {
    Extract: Worker._extract,
    Match: Worker._match,
    Verify: Worker._verify,
}
"""Type of task -> method that executes it."""


def record_settings(
    matcher: Matcher, max_error_px: float, prescreen: float | None = None
) -> dict[str, dict[str, Any]]:
    """Return all settings that determine the records of each kind.

    Args:
        matcher: Matcher of the run.
        max_error_px: Inlier threshold of the verification in px.
        prescreen: Minimum probability of a pair that is matched in full; None matches all.
    """
    features = {"tiepoint": version("tiepoint"), "features": matcher.extractor.fingerprint}
    matches = {**features, "matches": matcher.matcher.fingerprint}
    if prescreen is not None:
        matches["prescreen"] = str(prescreen)
    geometry = {"geometry": "fundamental or homography by poselib, seed 0", "max_error_px": max_error_px}
    return {"features": features, "matches": matches, "verified": {**matches, **geometry}}


def _features_record(key: str, features: Features) -> dict[str, Any]:
    record = features_to_record(features)
    digest = keypoints_digest(key, record["keypoints"])
    return record | {"source": None, "num_keypoints": len(features), "digest": digest}


def _matches_record(result: MatchResult, inputs_digest: str) -> dict[str, Any]:
    record = matches_to_record(result.matches, result.scores)
    return record | {
        "num_matches": len(result),
        "layers_run": result.layers_run,
        "made_of": inputs_digest,
        "digest": matches_digest(inputs_digest, record["matches"]),
    }


def _dropped_record(inputs_digest: str) -> dict[str, Any]:
    """Return the record of a pair that is not matched in full: no matches."""
    matches = np.zeros((0, 2), np.int64)
    return matches_to_record(matches, np.zeros(0, np.float32)) | {
        "num_matches": 0,
        "layers_run": 0,
        "made_of": inputs_digest,
        "digest": matches_digest(inputs_digest, matches),
    }


def check_unchanged(image: ImageRecord) -> None:
    """Check that a file has not changed since it was scanned; otherwise its key would be wrong.

    Raises:
        InvalidInput: If size or modification time have changed.
    """
    status = image.path.stat()
    if (status.st_size, status.st_mtime_ns) != (image.size_bytes, image.modified_ns):
        raise InvalidInput("the file changed during the run; run the same command again")


class Timer:
    """Durations of consecutive steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = perf_counter()

    def lap(self, step: str) -> None:
        """Record the time since the last lap as the duration of a step."""
        now = perf_counter()
        self.seconds[step] = now - self._start
        self._start = now
