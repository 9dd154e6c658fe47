"""Ctrl-C ends a live command after the current frame, so that its files are written; a second one aborts it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether SIGINT or SIGTERM was received; the second signal acts as usual."""
    stop = threading.Event()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def request_stop(number: int, frame: FrameType | None) -> None:
        restore()
        stop.set()

    for number in handlers:
        signal.signal(number, request_stop)
    try:
        yield stop.is_set
    finally:
        restore()
