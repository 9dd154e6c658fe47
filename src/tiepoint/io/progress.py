"""Progress of long-running work: the callback that library functions take, and the bars that the command line shows.

A library function takes `progress: Progress = False`, and shows nothing by itself.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressDisplay, ProgressColumn

T = TypeVar("T")

Advance: TypeAlias = Callable[[int], None]
"""Reports that N more units are done."""

ProgressCallback: TypeAlias = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Called with a description and the total number of units (None if unknown); entered for the duration of the work."""


Progress: TypeAlias = bool | ProgressCallback
"""True: bars on stderr; False: nothing; or a callback."""


def to_callback(progress: Progress) -> ProgressCallback:
    """Return the callback of a `progress` argument."""
    if isinstance(progress, bool):
        return progress_bar if progress else no_progress
    return progress


@contextmanager
def no_progress(description: str, total: int | None) -> Iterator[Advance]:
    """Show no progress; the default `ProgressCallback` of library functions."""
    yield lambda _: None


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Advance]:
    """Show a progress bar with rate and remaining time on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    with _bar(description, total, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()) as advance:
        yield advance


@contextmanager
def stage_line(description: str, total: int | None) -> Iterator[Advance]:
    """Show what is being done, and for how long, in a line of the terminal that disappears; bars replace it.

    Nothing is shown if stderr is not a terminal.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    text = TextColumn("{task.description}", markup=False)
    line = Progress(SpinnerColumn(), text, TimeElapsedColumn(), console=console, transient=True)
    line.add_task(description, total=total)
    token = _LINE.set(line)
    try:
        with line:
            yield lambda _: None
    finally:
        _LINE.reset(token)


@contextmanager
def download_bar(description: str, total: int | None) -> Iterator[Advance]:
    """Print the description on stderr, and show a progress bar in bytes with the transfer speed below it."""
    from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn

    with without_line():
        print(description, file=sys.stderr)
    with _bar("", total, BarColumn(), DownloadColumn(), TransferSpeedColumn()) as advance:
        yield advance


def track(
    items: Iterable[T], description: str, progress: ProgressCallback, *, total: int | None = None
) -> Iterator[T]:
    """Yield the items and advance the progress by one after each.

    Args:
        items: Items to iterate over.
        description: Text shown next to the bar.
        progress: Callback that shows the progress.
        total: Number of items; by default `len(items)` where the items have a length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(description, total) as advance:
        for item in items:
            yield item
            advance(1)


_LINE: ContextVar["ProgressDisplay | None"] = ContextVar("stage_line", default=None)  # on the terminal


@contextmanager
def without_line() -> Iterator[None]:
    """Remove the line of the current stage from the terminal while something else is shown there."""
    line = _LINE.get()
    if line is None:
        yield
        return
    line.stop()
    try:
        yield
    finally:
        line.start()


@contextmanager
def _bar(description: str, total: int | None, *columns: "ProgressColumn") -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    text = TextColumn("{task.description}", markup=False)
    bar = Progress(text, *columns, console=Console(stderr=True), disable=total == 0)
    with without_line(), bar:
        task = bar.add_task(description, total=total, rate="")

        def advance(count: int) -> None:
            bar.advance(task, count)
            speed = bar.tasks[task].finished_speed or bar.tasks[task].speed
            bar.update(task, rate=f"{speed:.2f}/s" if speed else "")

        yield advance
