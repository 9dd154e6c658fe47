"""A progress bar on stderr, with the time that is left where the number is known."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from tiepoint.io.progress import Watch, unwatched


def watch(text: str, *, quiet: bool) -> Watch:
    """What library functions take as `watch`; `text` says what is being done, `quiet` that nothing is shown."""
    return unwatched if quiet else partial(_show, text)


def _show(text: str, items: Iterable[Any], count: int | None) -> Iterable[Any]:
    from rich.console import Console
    from rich.progress import track

    return track(items, text, total=count, console=Console(stderr=True))
