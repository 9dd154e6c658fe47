"""Live progress of a run, as `tiepoint collection watch` reads it from `OUT/progress.json`.

The reader may be another process, or another machine that shares the folder.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tiepoint.collection.state import PROGRESS
from tiepoint.errors import InvalidInput, StoreError

RunState: TypeAlias = Literal["running", "finished", "failed", "interrupted", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """Progress of one stage of a run.

    Attributes:
        name: Name of the stage, such as "match".
        done: Number of records that this run has computed.
        total: Number of records that were missing when the stage began.
        started_at: Start, in s since the epoch.
        seconds: Duration until now in s.
        rate: Records per second over the last two minutes; 0 if none was finished.
    """

    name: str
    done: int
    total: int
    started_at: float
    seconds: float = 0.0
    rate: float = 0.0

    @property
    def remaining_s(self) -> float | None:
        """Expected remaining time in s; None before the first records are finished."""
        if self.done >= self.total:
            return 0.0
        return (self.total - self.done) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProgress:
    """Work of one process.

    Attributes:
        name: Host and process ID.
        tasks: Number of finished tasks.
        records: Number of images and pairs of these tasks.
        busy_s: Time that they took in s.
        last_at: End of the last one, in s since the epoch.
    """

    name: str
    tasks: int = 0
    records: int = 0
    busy_s: float = 0.0
    last_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProgress:
    """State of a run at one moment.

    Attributes:
        state: "running", "finished", "failed", "interrupted" (Ctrl-C), or "killed".
        message: Reason why the run failed, else "".
        host: Name of the machine of the main process.
        process_id: ID of the main process.
        executor: Executor of the run.
        started_at: Start of the run, in s since the epoch.
        updated_at: Time of this state, in s since the epoch.
        stages: Stages that have begun, in order; the last one is current.
        workers: Workers that have finished a task.
        num_problems: Number of problems so far.
        problems: The latest problems.
    """

    state: RunState
    message: str = ""
    host: str
    process_id: int
    executor: str
    started_at: float
    updated_at: float
    stages: tuple[StageProgress, ...] = ()
    workers: tuple[WorkerProgress, ...] = ()
    num_problems: int = 0
    problems: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration until this state in s."""
        return self.updated_at - self.started_at

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, and the remaining time of each stage, as plain values."""
        values = asdict(self)
        for stage, plain in zip(self.stages, values["stages"], strict=True):
            plain["remaining_s"] = stage.remaining_s
        return values


def read_progress(out: str | os.PathLike[str]) -> LiveProgress:
    """Read the progress of the run that uses an output folder, or of the last one that did.

    A run whose process on this machine does not exist anymore is "killed".

    Args:
        out: Output folder of the run.

    Raises:
        InvalidInput: If no run has written its progress there.
        StoreError: If the file is damaged, or of another version of tiepoint.
    """
    path = Path(out) / PROGRESS
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{out} has no {PROGRESS}: no run has started there; start one with `tiepoint collection run IMAGES {out}`"
        ) from error
    try:
        values = json.loads(text)
        values["stages"] = tuple(StageProgress(**stage) for stage in values["stages"])
        values["workers"] = tuple(WorkerProgress(**worker) for worker in values["workers"])
        values["problems"] = tuple(values["problems"])
        progress = LiveProgress(**values)
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"cannot read {path}: it is damaged, or of another version of tiepoint") from error
    if progress.state == "running" and progress.host == socket.gethostname():
        return progress if _exists(progress.process_id) else replace(progress, state="killed")
    return progress


def _exists(process_id: int) -> bool:
    """Return whether a process of this machine exists."""
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True
