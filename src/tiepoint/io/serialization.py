"""Named arrays, numbers and strings as .npz or .json files."""

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_writable

FORMATS = (".npz", ".json")


def write_arrays(contents: dict[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write named values to a .npz or .json file, atomically.

    Args:
        contents: Arrays, numbers, strings, lists, and dicts of these, by name.
        path: Output path; its suffix is .npz (NumPy) or .json.

    Returns:
        Output path.

    Raises:
        InvalidInput: If the suffix is unsupported or the file cannot be written.
    """
    path = check_output_path(path)
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".json":
            temporary.write_text(json.dumps(to_plain(contents), allow_nan=False), encoding="utf-8")
        else:
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in _flat(contents).items()}
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
    return path


def write_json(
    value: Any, path: str | os.PathLike[str], *, indent: int | None = 1, allow_nan: bool = False
) -> Path:
    """Write a value as JSON, atomically; NumPy arrays become lists.

    Args:
        value: Dicts, lists, arrays, numbers and strings; other objects are written as their `str`.
        path: Output path.
        indent: Spaces per level; None writes one line.
        allow_nan: Write NaN and infinity, which are not standard JSON.

    Raises:
        InvalidInput: If the file cannot be written.
        ValueError: If the value contains NaN or infinity and `allow_nan` is False.
    """
    text = json.dumps(to_plain(value), indent=indent, default=str, allow_nan=allow_nan)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return Path(path)


def check_output_path(path: str | os.PathLike[str], *suffixes: str) -> Path:
    """Check that an output file has a supported suffix and can be written, before starting long work.

    Args:
        path: Output path.
        suffixes: Supported suffixes; by default .npz and .json.

    Returns:
        Output path.

    Raises:
        InvalidInput: If the suffix is unsupported or the file cannot be written.
    """
    target, allowed = Path(path), suffixes or FORMATS
    if target.suffix.lower() not in allowed:
        raise InvalidInput(
            f"cannot write {target.name!r}: unsupported suffix; use a name that ends in {' or '.join(allowed)}"
        )
    check_writable(target)
    return target


def to_plain(value: Any) -> Any:
    """Return the value with arrays and tuples as lists, for JSON."""
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return value.tolist() if isinstance(value, np.ndarray) else value


def _flat(contents: dict[str, Any]) -> dict[str, Any]:
    """Return the values for an .npz file: without None, and the values of dicts under joined names."""
    flat: dict[str, Any] = {}
    for name, value in contents.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": item for inner, item in _flat(value).items()}
        elif value is not None:
            flat[name] = value
    return flat


def read_arrays(path: str | os.PathLike[str], *, nested: Sequence[str] = ()) -> dict[str, Any]:
    """Read a file written by `write_arrays`.

    Args:
        path: Path of the .npz or .json file.
        nested: Names of dicts; their values have flat names in .npz files, for example `seconds_read`.

    Returns:
        Values by name: lists from .json files, arrays from .npz files.

    Raises:
        InvalidInput: If the file cannot be read.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".json":
            values = json.loads(path.read_text(encoding="utf-8"))
        else:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                values = {name: value if value.ndim else value.item() for name, value in arrays.items()}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"cannot read {path}: {error}") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path}: expected a JSON object, got {type(values).__name__}")
    return values if path.suffix.lower() == ".json" else _nest(values, nested)


def _nest(flat: dict[str, Any], nested: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in flat.items():
        target, rest = values, name
        while prefix := next((p for p in nested if rest.startswith(f"{p}_")), None):
            target, rest = target.setdefault(prefix, {}), rest.removeprefix(f"{prefix}_")
        target[rest] = value
    return values
