"""Stages: lookup, planning and counting keep only one block of pairs in memory."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs import selection
from tiepoint.collection.pairs.selection import SelectedPairs, parse_pair_selection, select_pairs
from tiepoint.collection.run.progress_writer import ProgressWriter
from tiepoint.collection.run.stages import RunLog, Stages
from tiepoint.collection.run.tasks import Outcome, Task
from tiepoint.collection.state import KINDS, PROGRESS, Stores
from tiepoint.feature_store import Store
from tiepoint.feature_store.keys import pair_key
from tiepoint.io.progress import no_progress

NUM_IMAGES, NEIGHBORS, BLOCK = 1000, 100, 1000


class Idle:
    """Executor that only counts pairs."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self.pairs = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        for task in tasks:
            self.pairs += len(task.pairs)
            yield Outcome(kind="matches", shard="", keys=(), size=len(task.pairs))


@pytest.fixture
def selected(monkeypatch: pytest.MonkeyPatch) -> SelectedPairs:
    monkeypatch.setattr(selection, "BLOCK", BLOCK)
    images = [
        ImageRecord(name=f"{n:04d}.jpg", path=Path("a.jpg"), digest=f"{n:016x}", image_size=(8, 6))
        for n in range(NUM_IMAGES)
    ]
    return select_pairs(parse_pair_selection(f"sequential:{NEIGHBORS}"), images)


@pytest.fixture
def stores(tmp_path: Path, selected: SelectedPairs) -> Stores:
    """Records of the first pair, and of a pair that is not selected."""
    made = Stores(*(Store(tmp_path / kind, {"of": kind}) for kind in KINDS))
    keys = [image.key for image in selected.images]
    for pair in ((keys[0], keys[1]), (keys[0], keys[-1])):
        made.matches.write("matches", {pair_key(pair): {"num_matches": 7}})
    return made


def make_stages(selected: SelectedPairs, stores: Stores, executor: Idle) -> Stages:
    writer = ProgressWriter(Path(str(stores.features.storage)).parent / PROGRESS, "serial")
    return Stages(selected.images, stores, executor, RunLog(no_progress), writer)


def grown_bytes(work: Callable[[], Any]) -> int:
    """Peak increase of the memory in use, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_of_planning_does_not_grow_with_the_pairs(selected: SelectedPairs, stores: Stores):
    workers = Idle()
    stages = make_stages(selected, stores, workers)
    assert grown_bytes(lambda: stages.match(selected)) < 16 * len(selected)  # a digest of every pair
    assert workers.pairs == len(selected) - 1


@pytest.mark.slow
def test_memory_of_counting_does_not_grow_with_the_pairs(selected: SelectedPairs, stores: Stores):
    stages = make_stages(selected, stores, Idle())
    stages.check()
    counts = []
    assert grown_bytes(lambda: counts.append(stages.count(selected))) < 8 * len(selected)
    assert counts == [{"pairs": 1, "matches": 7, "verified": 0, "inliers": 0}]


@pytest.mark.slow
def test_counting_reads_each_shard_once(
    selected: SelectedPairs, stores: Stores, monkeypatch: pytest.MonkeyPatch
):
    keys = [image.key for image in selected.images]
    for first in range(2, 40, 2):
        some = [pair_key((keys[first], keys[first + step])) for step in (1, 2, 3)]
        stores.matches.write("matches", {key: {"num_matches": first} for key in some})
    read, asked = Store.records, []
    monkeypatch.setattr(
        Store, "records", lambda self, kind, shard: asked.append(shard) or read(self, kind, shard)
    )
    counts = make_stages(selected, stores, Idle()).count(selected)
    assert counts["matches"] == 7 + 3 * sum(range(2, 40, 2))
    assert len(asked) == len(set(asked)) == 20
