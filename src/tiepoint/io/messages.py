"""Parts of error messages that every package needs."""

import difflib
import re
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


def redact_url(url: str) -> str:
    """Return a URL without user name, password, query and fragment, which may be secret.

    Args:
        url: URL; the password may contain unescaped characters. Some cameras have it in the path, as `user=…`.
    """
    without_user = re.sub(r"://.*@", "://***@", url, flags=re.DOTALL)
    without_query = re.sub(r"[?#].*", "?***", without_user, flags=re.DOTALL)
    return re.sub(
        r"\b((?:user|pass|pwd|token|key|auth)\w*=)[^/?]*", r"\1***", without_query, flags=re.IGNORECASE
    )


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
