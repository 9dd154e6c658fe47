"""Strict dict and JSON round trip, and fingerprint, of frozen dataclasses: the only configuration there is."""

import dataclasses
import hashlib
import json
import math
import types
import typing
from typing import Any, TypeVar

from tiepoint.errors import InvalidInput

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a frozen dataclass into plain dicts, lists, strings and numbers that JSON can hold.

    Raises:
        InvalidInput: a value that JSON can't hold, NaN and infinity among them.
    """
    hints = typing.get_type_hints(type(config))
    values = {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    return {name: float(v) if hints[name] is float else v for name, v in values.items()}


def from_dict(cls: type[T], values: Any) -> T:
    """Build a frozen dataclass from `to_dict`'s form; the inverse of it.

    Args:
        cls: the dataclass to build.
        values: its fields by name; fields left out keep their defaults.

    Raises:
        InvalidInput: a field that the class does not have, a missing field without default, a value of
            another type.
    """
    if not isinstance(values, dict):
        raise InvalidInput(f"{cls.__name__} is built from a dict, but got {type(values).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise InvalidInput(f"{cls.__name__} has no field {', '.join(unknown)}; it has {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in values and not _has_default(field)]
    if missing:
        raise InvalidInput(f"{cls.__name__} needs {', '.join(missing)}, which the given values lack")
    return cls(
        **{name: _typed(hints[name], value, f"{cls.__name__}.{name}") for name, value in values.items()}
    )


def to_json(config: Any) -> str:
    """The canonical JSON text of a frozen dataclass: sorted keys, no spaces."""
    return json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(cls: type[T], text: str) -> T:
    """The inverse of `to_json`. Raises InvalidInput as `from_dict` does, and for text that is not JSON."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{cls.__name__}: not JSON ({error})") from error
    return from_dict(cls, values)


def fingerprint(config: Any) -> str:
    """Sixteen hexadecimal digits that change whenever any setting, or the class, changes."""
    text = f"{type(config).__name__}:{to_json(config)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _has_default(field: dataclasses.Field) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"a configuration holds finite numbers, not {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidInput(
        f"a configuration holds numbers, strings, tuples and dataclasses, not {type(value).__name__}"
    )


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type `hint` says; tuples come back from JSON's lists, floats from its whole numbers."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(args, value, where)
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


def _first_that_fits(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    for hint in hints:
        try:
            return _typed(hint, value, where)
        except InvalidInput:
            continue
    names = " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints)
    return _checked(False, value, where, names)


def _checked(fits: bool, value: Any, where: str, expected: str) -> Any:
    if not fits:
        raise InvalidInput(f"{where} must be {expected}, but is {value!r}")
    return value
