"""`tiepoint collection watch OUT`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.console import Console, Group

    from tiepoint.collection.run.live_progress import LiveProgress

MAX_PROBLEMS = 5
"""Number of latest problems that are shown; the page has more."""


def watch(
    out: Annotated[Path, typer.Argument(help="Output folder of the run.", show_default=False)],
    json_file: JsonOption = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="HTML page to keep up to date; browsers reload it.", show_default=False),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Time between updates in s.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show the current state, and do not wait.")] = False,
) -> None:
    """Show rate, remaining time, failures and workers of a run in another terminal, until it ends.

    Exits with status 1 if the run failed, was interrupted, or was killed. Ctrl-C ends the watching, not the run.

    Example: tiepoint collection watch out/ --html progress.html
    """
    from rich.console import Console

    from tiepoint.io.serialization import write_json

    progress = None
    with _display(Console(stderr=json_file == "-")) as show:
        for progress in _states(out, interval, once=once):
            if html is not None:
                _write_page(progress, html, interval)
            show(progress)
    assert progress is not None
    if json_file == "-":
        typer.echo(json.dumps(progress.to_dict()))
    elif json_file is not None:
        write_json(progress.to_dict(), json_file)
    if progress.state not in ("running", "finished"):
        raise typer.Exit(1)


def _states(out: Path, interval: float, *, once: bool) -> Iterator["LiveProgress"]:
    """Yield the state of the run, again after each interval, until it ends or once."""
    from tiepoint.collection.run.live_progress import read_progress

    while True:
        progress = read_progress(out)
        yield progress
        if once or progress.state != "running":
            return
        time.sleep(interval)


@contextmanager
def _display(console: "Console") -> Iterator[Callable[["LiveProgress"], None]]:
    """Yield a function that shows a state: in place on a terminal, below the last one elsewhere."""
    from rich.live import Live

    if not console.is_terminal:
        yield lambda progress: console.print(_screen(progress), soft_wrap=True)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda progress: live.update(_screen(progress), refresh=True)


def _write_page(progress: "LiveProgress", path: Path, interval: float) -> None:
    from tiepoint.collection.report.progress_page import write_progress_page

    write_progress_page(progress, path, now=time.time(), refresh_s=interval)


def _screen(progress: "LiveProgress") -> "Group":
    """Return the tables of the run, its stages, its workers and its latest problems."""
    from rich.console import Group
    from rich.text import Text

    from tiepoint.cli.tables import make_table
    from tiepoint.collection.report.progress_text import (
        WORKER_COLUMNS,
        describe_stage,
        summary_rows,
        worker_row,
    )

    now = time.time()
    return Group(
        make_table(("run", ""), summary_rows(progress, now)),
        make_table(("stage", ""), [(stage.name, describe_stage(stage)) for stage in progress.stages]),
        make_table(WORKER_COLUMNS, [worker_row(worker, now) for worker in progress.workers]),
        *(Text(problem) for problem in progress.problems[-MAX_PROBLEMS:]),
    )
