"""Checks of single values that users pass."""

import math
from numbers import Integral, Real
from typing import Any

from tiepoint.errors import InvalidInput


def is_integer(value: Any, minimum: int | None = None) -> bool:
    """Return whether a value is an integer (Python's or NumPy's, not a bool) of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        return False
    return minimum is None or int(value) >= minimum


def check_integer(name: str, value: Any, minimum: int, *, alternative: str = "") -> int:
    """Return an integer argument as Python's `int`.

    Args:
        name: Name of the argument, for the message.
        value: Value that was given.
        minimum: Minimum allowed value.
        alternative: Other accepted value to mention in the message, for example `"None"`.

    Raises:
        InvalidInput: If the value is not an integer or is below the minimum.
    """
    if not is_integer(value, minimum):
        also = f", or {alternative}" if alternative else ""
        raise InvalidInput(f"{name} must be an integer of at least {minimum}{also}, got {value!r}")
    return int(value)


def check_number(name: str, value: Any, minimum: float, maximum: float, *, alternative: str = "") -> float:
    """Return a real argument as Python's `float`.

    Args:
        name: Name of the argument, for the message.
        value: Value that was given.
        minimum: Minimum allowed value.
        maximum: Maximum allowed value.
        alternative: Other accepted value to mention in the message, for example `"None"`.

    Raises:
        InvalidInput: If the value is not a number, or is out of range.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not minimum <= float(value) <= maximum:
        also = f", or {alternative}" if alternative else ""
        raise InvalidInput(f"{name}: expected a number from {minimum:g} to {maximum:g}{also}, got {value!r}")
    return float(value)
