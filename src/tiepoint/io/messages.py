"""Messages that several packages need: parts of errors, and one-line descriptions."""

import difflib
import logging
import re
import reprlib
from collections.abc import Iterable
from pathlib import Path

MAX_QUOTED = 500  # characters


_warned: set[str] = set()
logger = logging.getLogger(__name__)


def warn_once(topic: str, message: str) -> None:
    """Log a warning, unless there was one about the same topic in this process.

    Args:
        topic: Topic of the warning.
        message: Text of the warning.
    """
    if topic not in _warned:
        _warned.add(topic)
        logger.warning("%s", message)


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


def describe(value: object) -> str:
    """Return the type of a value, and its shape and dtype if it has them."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return type(value).__name__
    return f"{type(value).__name__} of shape {tuple(shape)}, {getattr(value, 'dtype', 'no dtype')}"


def repr_of_matches(num_matches: int, images: Iterable[tuple[str | None, int]]) -> str:
    """Return the one-line `repr` of a match result.

    Args:
        num_matches: Number of matches.
        images: Path, or None, and number of keypoints of both images.
    """
    parts = (
        f"{Path(path or f'image {i}').name}: {count} keypoints" for i, (path, count) in enumerate(images)
    )
    return f"MatchResult({num_matches} matches, {', '.join(parts)})"
