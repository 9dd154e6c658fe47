"""When the command was started: on Linux the start of the process, elsewhere the import of this module.

`tiepoint.cli` imports this module first, so that the imports of all commands are included.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from tiepoint.io.machine import process_seconds

IMPORTED = perf_counter()
MAX_STARTUP_S = 60.0  # a longer start of Python is a wrong clock

COMMAND_START: ContextVar[float | None] = ContextVar("command_start", default=None)
"""Time of `perf_counter` at which the running command was started; None if it was not started as a program."""


@contextmanager
def running() -> Iterator[None]:
    """Set `COMMAND_START` while a command runs."""
    token = COMMAND_START.set(find_start())
    try:
        yield
    finally:
        COMMAND_START.reset(token)


def find_start() -> float:
    """Return the time of `perf_counter` at which this process was started."""
    age = process_seconds()
    start = IMPORTED if age is None else perf_counter() - age
    return start if 0 <= IMPORTED - start <= MAX_STARTUP_S else IMPORTED
