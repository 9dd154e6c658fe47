"""The progress of a run as one self-contained HTML file, which a browser reloads."""

import os
from pathlib import Path

from tiepoint.collection.report.progress_text import (
    WORKER_COLUMNS,
    describe_stage,
    summary_rows,
    worker_row,
)
from tiepoint.collection.run.live_progress import LiveProgress
from tiepoint.html.rendering import render_page, write_page

TEMPLATE = "progress_page.html.jinja"


def write_progress_page(
    progress: LiveProgress, path: str | os.PathLike[str], *, now: float, refresh_s: float = 2.0
) -> Path:
    """Write the page.

    Args:
        progress: Progress of the run.
        path: File to write.
        now: Time in s since the epoch.
        refresh_s: Time in s after which a browser reloads the page of a running run.

    Returns:
        The path.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    page = render_page(
        "tiepoint.collection.report",
        TEMPLATE,
        title=f"run: {progress.state}",
        refresh_s=f"{refresh_s:g}" if progress.state == "running" else "",
        summary=summary_rows(progress, now),
        stages=[
            {
                "label": stage.name,
                "done": stage.done if stage.total else 1,
                "total": stage.total or 1,
                "text": describe_stage(stage),
            }
            for stage in progress.stages
        ],
        worker_columns=WORKER_COLUMNS,
        workers=[worker_row(worker, now) for worker in progress.workers],
        problems=progress.problems,
    )
    return write_page(page, path)
