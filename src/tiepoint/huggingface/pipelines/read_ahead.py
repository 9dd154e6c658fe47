"""Reading the next items of a stream in threads, while the current ones are processed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Source = TypeVar("Source")
Item = TypeVar("Item")


def read_ahead(sources: Iterable[Source], read: Callable[[Source], Item], num_workers: int) -> Iterator[Item]:
    """Yield `read(source)` for each source, in order; errors of reading are raised in their turn.

    Args:
        sources: Sources; at most `num_workers` of them are taken ahead.
        read: Function that reads a source; it is called in threads.
        num_workers: Number of threads; 0 reads each source when it is needed, without threads.
    """
    if num_workers == 0:
        yield from map(read, sources)
        return
    remaining = iter(sources)
    with ThreadPoolExecutor(num_workers, thread_name_prefix="tiepoint-read") as pool:
        pending: deque[Future[Item]] = deque(
            pool.submit(read, source) for source in islice(remaining, num_workers)
        )
        try:
            while pending:
                item = pending.popleft().result()
                pending.extend(pool.submit(read, source) for source in islice(remaining, 1))
                yield item
        finally:
            for future in pending:
                future.cancel()
