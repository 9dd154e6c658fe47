"""Work that takes long may be watched: what is worked through goes by someone who shows how far it is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

Watch: TypeAlias = Callable[[Iterable[Any], int | None], Iterable[Any]]
"""Passes items through and shows how far it is; the number says how many there are, None that nobody knows."""


def unwatched(items: Iterable[Any], count: int | None) -> Iterable[Any]:
    """The `Watch` that shows nothing."""
    return items


Track: TypeAlias = Callable[[Sequence[Any], str], Iterable[Any]]
"""The same for work of several parts: passes a sequence through; the text says which part is being done."""


def untracked(items: Sequence[Any], text: str) -> Iterable[Any]:
    """The `Track` that shows nothing."""
    return items
