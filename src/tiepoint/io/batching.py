"""Consecutive batches of an iterable."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of at most `size` items; like `itertools.batched` of Python 3.12, but with lists."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
