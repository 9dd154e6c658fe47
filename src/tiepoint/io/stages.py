"""Seconds of the consecutive stages of a task, which add up to the time that one waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from tiepoint.io.progress import ProgressCallback, no_progress

TOTAL = "total"


class Stages:
    """Times consecutive stages, and shows each while it runs; a stage begins where the previous one ended.

    Args:
        show: Callback that is entered with the name of each stage while it runs.
        start: Time of `perf_counter` at which the first stage began; None for now.

    Attributes:
        seconds: Seconds of each finished stage.

    Example:
        >>> stages = Stages()
        >>> with stages("read"):
        ...     image = tiepoint.read_image("a.jpg")
        >>> stages.with_total()  # {"read": 0.12, "total": 0.12}
    """

    def __init__(self, show: ProgressCallback = no_progress, *, start: float | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._show = show
        self._end = perf_counter() if start is None else start

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run a stage; it includes the time since the previous one."""
        with self._show(name.replace("_", " "), None):
            yield
        self.finish(name)

    def finish(self, name: str) -> None:
        """End a stage now; the time since the previous one is added to it."""
        now = perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._end
        self._end = now

    def with_total(self) -> dict[str, float]:
        """Return the seconds of all finished stages, and their sum as "total"."""
        return {**self.seconds, TOTAL: sum(self.seconds.values())}
