"""Writes the progress of a run to `OUT/progress.json`, for `tiepoint collection watch`.

The file is replaced as a whole, about once a second. Where it cannot be written, the run goes on without it.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tiepoint.collection.run.live_progress import LiveProgress, RunState, StageProgress, WorkerProgress
from tiepoint.collection.run.tasks import Outcome
from tiepoint.collection.state import PROGRESS
from tiepoint.errors import InvalidInput
from tiepoint.io.messages import first_line
from tiepoint.io.serialization import write_json

logger = logging.getLogger(__name__)

WRITE_INTERVAL_S = 1.0
RATE_WINDOW_S = 120.0
"""The rate is that of the records of the last two minutes."""

MAX_MESSAGES = 50
"""Number of latest problems in the file."""


@dataclass(slots=True)
class ProgressWriter:
    """Follows a run and writes its progress.

    Args:
        path: File to write.
        executor: Executor of the run.
        clock: Function that returns the time in s since the epoch.
    """

    path: Path
    executor: str
    clock: Callable[[], float] = time.time
    _state: LiveProgress = field(init=False)
    _workers: dict[str, WorkerProgress] = field(init=False, default_factory=dict)
    _recent: deque[tuple[float, int]] = field(init=False, default_factory=deque)
    _written_at: float = field(init=False, default=float("-inf"))
    _can_write: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        now = self.clock()
        self._state = LiveProgress(
            state="running",
            host=socket.gethostname(),
            process_id=os.getpid(),
            executor=self.executor,
            started_at=now,
            updated_at=now,
        )
        self._write()

    def begin_stage(self, name: str, total: int) -> None:
        """Begin a stage with this number of missing records."""
        now = self.clock()
        self._recent = deque([(now, 0)])
        stage = StageProgress(name=name, done=0, total=total, started_at=now)
        self._update(now, stages=(*self._state.stages, stage))
        self._write()

    def add(self, outcome: Outcome) -> None:
        """Count a finished task of the current stage."""
        now = self.clock()
        *before, stage = self._state.stages
        done = stage.done + outcome.size
        if len(self._recent) > 1 and now - self._recent[-2][0] < WRITE_INTERVAL_S:
            self._recent.pop()  # so that their number is bounded
        self._recent.append((now, done))
        while len(self._recent) > 2 and self._recent[1][0] < now - RATE_WINDOW_S:
            self._recent.popleft()
        first_at, first_done = self._recent[0]
        rate = (done - first_done) / (now - first_at) if now > first_at else 0.0
        stage = replace(stage, done=done, seconds=now - stage.started_at, rate=rate)
        self._count_worker(outcome, now)
        self._update(
            now,
            stages=(*before, stage),
            workers=tuple(self._workers.values()),
            num_problems=self._state.num_problems + len(outcome.problems),
            problems=(*self._state.problems, *outcome.problems)[-MAX_MESSAGES:],
        )
        if now - self._written_at >= WRITE_INTERVAL_S:
            self._write()

    def end(self, state: RunState, message: str = "") -> None:
        """Write the final state."""
        self._update(self.clock(), state=state, message=message)
        self._write()

    def _count_worker(self, outcome: Outcome, now: float) -> None:
        known = self._workers.get(outcome.worker, WorkerProgress(name=outcome.worker))
        self._workers[outcome.worker] = replace(
            known,
            tasks=known.tasks + 1,
            records=known.records + outcome.size,
            busy_s=known.busy_s + sum(outcome.seconds.values()),
            last_at=now,
        )

    def _update(self, now: float, **changes: Any) -> None:
        self._state = replace(self._state, updated_at=now, **changes)

    def _write(self) -> None:
        if not self._can_write:
            return
        try:
            write_json(asdict(self._state), self.path)
            self._written_at = self._state.updated_at
        except InvalidInput as error:
            self._can_write = False
            logger.info("the progress of this run cannot be watched: %s", error)


@contextmanager
def written_progress(folder: Path, executor: str) -> Iterator[ProgressWriter]:
    """Write the progress of the run in the block, and how it ended.

    Args:
        folder: Output folder of the run.
        executor: Executor of the run.
    """
    writer = ProgressWriter(folder / PROGRESS, executor)
    try:
        yield writer
    except KeyboardInterrupt:
        writer.end("interrupted")
        raise
    except BaseException as error:
        writer.end("failed", first_line(error))
        raise
    writer.end("finished")
