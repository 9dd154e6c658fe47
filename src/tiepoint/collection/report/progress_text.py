"""The progress of a run in words: for the terminal and for the page of `tiepoint collection watch`."""

from tiepoint.collection.run.live_progress import LiveProgress, StageProgress, WorkerProgress
from tiepoint.io.durations import format_duration

WORKER_COLUMNS = ("worker", "tasks", "records", "time per record", "last task")

UNITS = {"extract": "images"}
"""Stage -> what its records are, if that is not pairs."""


def describe_state(progress: LiveProgress, now: float) -> str:
    """Return the state of the run and its age.

    Args:
        progress: Progress of the run.
        now: Time in s since the epoch.
    """
    ago = f"{format_duration(max(0.0, now - progress.updated_at))} ago"
    texts = {
        "running": f"running; last record {ago}",
        "finished": f"finished {ago}",
        "failed": f"failed {ago}: {progress.message}",
        "interrupted": f"interrupted {ago}; run the same command to resume",
        "killed": f"killed, last record {ago}; run the same command to resume",
    }
    return texts[progress.state]


def summary_rows(progress: LiveProgress, now: float) -> list[tuple[str, str]]:
    """Return names and values of the run as a whole.

    Args:
        progress: Progress of the run.
        now: Time in s since the epoch.
    """
    return [
        ("state", describe_state(progress, now)),
        ("running time", format_duration(progress.seconds)),
        ("executor", progress.executor),
        ("main process", f"{progress.process_id} on {progress.host}"),
        ("problems", f"{progress.num_problems:,}"),
    ]


def describe_stage(stage: StageProgress) -> str:
    """Return the records, rate and remaining time of a stage."""
    unit = UNITS.get(stage.name, "pairs")
    if not stage.total:
        return f"no {unit} missing"
    text = f"{stage.done:,} of {stage.total:,} {unit}"
    if stage.done >= stage.total:
        return f"{text} in {format_duration(stage.seconds)}"
    if stage.remaining_s is None:
        return text
    return f"{text}, {stage.rate:.2f}/s, {format_duration(stage.remaining_s)} remaining"


def worker_row(worker: WorkerProgress, now: float) -> tuple[str, ...]:
    """Return the cells of a worker.

    Args:
        worker: Progress of the worker.
        now: Time in s since the epoch.
    """
    return (
        worker.name,
        f"{worker.tasks:,}",
        f"{worker.records:,}",
        f"{worker.busy_s / worker.records:.3f} s" if worker.records else "",
        f"{format_duration(max(0.0, now - worker.last_at))} ago",
    )
