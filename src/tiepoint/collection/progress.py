"""How far a run is: what shows it is handed in, so that the library prints nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

Advance: TypeAlias = Callable[[int], None]
"""So many more are done."""

Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]
"""What is being done, and to how many; entered when it begins, left when it ends."""


@contextmanager
def no_progress(text: str, total: int) -> Iterator[Advance]:
    """The `Progress` that shows nothing."""
    yield lambda _: None
