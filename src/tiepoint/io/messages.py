"""Parts of error messages that every package needs."""

import difflib
import reprlib
from collections.abc import Iterable

MAX_QUOTED = 500  # characters


def did_you_mean(name: object, known: Iterable[str], *, max_suggestions: int = 1) -> str:
    """Return `"; did you mean 'x'?"` for the known names closest to `name`, or an empty string."""
    close = difflib.get_close_matches(str(name), list(known), n=max_suggestions)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def quote(text: str) -> str:
    """Return a text in quotes, shortened in the middle if it is longer than 500 characters."""
    shortener = reprlib.Repr()
    shortener.maxstring = MAX_QUOTED
    return shortener.repr(text)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the message for a name that is not in a table.

    Args:
        kind: Kind of the name, for example `"preset"`.
        name: The name that was given.
        known: Names that are available.
    """
    names = list(known)
    return f"unknown {kind} {name!r}; available: {', '.join(names)}{did_you_mean(name, names)}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class name if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
