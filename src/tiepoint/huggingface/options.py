"""Keyword options that a function does not use: those without effect here warn, unknown ones are errors."""

import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name

INTERNAL_MODULES = ("tiepoint.", "jaxtyping", "beartype")
"""Beginnings of the names of modules that no warning is attributed to: tiepoint and wrappers that check its types."""


class InvalidArgument(InvalidInput, TypeError):
    """An argument is unknown or has the wrong type; also a TypeError, which is what transformers raises."""


class EmptyInput(InvalidInput, IndexError):
    """There are no images; also an IndexError, which is what transformers raises."""


def reject_unknown(function: str, options: Iterable[str], known: Collection[str]) -> None:
    """Raise InvalidArgument if an option is not known.

    Args:
        function: Name of the called function, for the message.
        options: Names of the options that were passed.
        known: Names of the options that exist.
    """
    for name in options:
        if name not in known:
            raise InvalidArgument(f"{function}: {unknown_name('option', name, known)}")


def warn_without_effect(function: str, options: Mapping[str, Any], names: Collection[str]) -> None:
    """Warn about options that transformers accepts and that have no effect in tiepoint.

    Args:
        function: Name of the called function.
        options: Options that were passed; None and False ask for nothing.
        names: Names of the options without effect.
    """
    asked = [name for name, value in options.items() if name in names and value not in (None, False)]
    if asked:
        warn(f"{function}: {', '.join(asked)} has no effect in tiepoint")


def warn(message: str) -> None:
    """Warn, at the line of the user's code that called tiepoint."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(INTERNAL_MODULES):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def plain(value: Any) -> Any:
    """Return the value of an enumeration member, such as those of transformers and torchvision, or the value itself."""
    return value.value if isinstance(value, Enum) else value
