"""Configuration in frozen dataclasses: strict conversion to and from dicts and JSON, and fingerprints."""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

from tiepoint.errors import InvalidInput
from tiepoint.io.hashing import short_digest

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Convert a frozen dataclass to dicts, lists, strings and numbers that JSON supports.

    Raises:
        InvalidInput: If a value is not supported by JSON, including NaN and infinity.
    """
    hints = typing.get_type_hints(type(config))
    values = {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    return {name: float(v) if hints[name] is float else v for name, v in values.items()}


def from_dict(cls: type[T], values: Any) -> T:
    """Build a frozen dataclass from a dict; the inverse of `to_dict`.

    Args:
        cls: Dataclass to build.
        values: Values by field name; missing fields get their defaults.

    Raises:
        InvalidInput: If a field is unknown, missing without a default, or has the wrong type.
    """
    if not isinstance(values, dict):
        raise InvalidInput(f"expected a dict for {cls.__name__}, got {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InvalidInput(
            f"unknown field of {cls.__name__}: {', '.join(unknown)}; available: {', '.join(fields)}"
        )
    missing = [name for name, field in fields.items() if name not in values and not _has_default(field)]
    if missing:
        raise InvalidInput(f"missing field of {cls.__name__}: {', '.join(missing)}")
    return cls(
        **{name: _typed(hints[name], value, f"{cls.__name__}.{name}") for name, value in values.items()}
    )


def to_json(config: Any) -> str:
    """Return the canonical JSON of a frozen dataclass: sorted keys, no spaces."""
    return json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(cls: type[T], text: str) -> T:
    """Build a frozen dataclass from JSON; the inverse of `to_json`.

    Raises:
        InvalidInput: If the text is not JSON, or as for `from_dict`.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{cls.__name__}: not JSON ({error})") from error
    return from_dict(cls, values)


def fingerprint(config: Any) -> str:
    """Return a short digest (16 hexadecimal digits) of the class and all settings."""
    return short_digest(f"{type(config).__name__}:{to_json(config)}")


def _has_default(field: dataclasses.Field) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"configuration values must be finite, got {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidInput(
        f"configuration values must be numbers, strings, tuples or dataclasses, got {type(value).__name__}"
    )


def _typed(hint: Any, value: Any, where: str) -> Any:
    """Return the value as the hinted type; JSON's lists become tuples, and its integers floats, where hinted."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first_match(args, value, where)
    if origin is typing.Literal:
        return _checked(value in args, value, where, f"one of {', '.join(map(repr, args))}")
    if origin is tuple and isinstance(value, tuple | list):
        items = args[:1] * len(value) if args[-1:] == (Ellipsis,) else args
        _checked(len(items) == len(value), value, where, f"{len(items)} values")
        return tuple(_typed(item, part, where) for item, part in zip(items, value, strict=True))
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value)  # type: ignore[arg-type]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = origin or hint
    return _checked(
        isinstance(value, plain) and not (plain is int and isinstance(value, bool)), value, where, str(plain)
    )


def _first_match(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    for hint in hints:
        try:
            return _typed(hint, value, where)
        except InvalidInput:
            continue
    names = " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints)
    return _checked(False, value, where, names)


def _checked(is_valid: bool, value: Any, where: str, expected: str) -> Any:
    if not is_valid:
        raise InvalidInput(f"{where} must be {expected}, got {value!r}")
    return value
