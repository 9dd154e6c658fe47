"""A progress bar on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, total: int | None, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Show how a download comes on; yields the function that takes the bytes that are here so far.

    Args:
        title: what is downloaded.
        total: its size in bytes; None = not known.
        show: False = no bar, and rich isn't imported.
    """
    if not show:
        yield lambda received: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda received: progress.update(task, completed=received)
