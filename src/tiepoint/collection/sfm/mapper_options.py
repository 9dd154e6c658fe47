"""Options of COLMAP's incremental and global mapper by name, as given on the command line: NAME=VALUE."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import quiet_pycolmap, require_pycolmap
from tiepoint.io.messages import did_you_mean

Mapper = Literal["incremental", "global"]
"""COLMAP's mapper: incremental, or global (formerly GLOMAP)."""

CLASSES: Mapping[Mapper, str] = {
    "incremental": "IncrementalPipelineOptions",
    "global": "GlobalPipelineOptions",
}
"""Mapper -> class of pycolmap with its options."""

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def parse_mapper_options(texts: Iterable[str], mapper: Mapper = "incremental") -> dict[str, str]:
    """Split NAME=VALUE, and check names and values before any work starts.

    Args:
        texts: Options of the command line, such as "init_max_forward_motion=1.0".
        mapper: Mapper that the options belong to.

    Raises:
        InvalidInput: If a text has no "=", or pycolmap has no such option or rejects the value.
        MissingDependency: If pycolmap is not installed.
    """
    options = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise InvalidInput(f"mapper option: expected NAME=VALUE, got {text!r}")
        options[name.strip()] = value.strip()
    make_mapper_options(options, mapper=mapper)
    return options


def check_mapper_options(options: Mapping[str, Any], mapper: Mapper = "incremental") -> frozenset[str]:
    """Check names and values of options, and return their names without groups.

    Args:
        options: Values by name, as for `make_mapper_options`.
        mapper: Mapper that the options belong to.

    Raises:
        InvalidInput: If pycolmap has no such option, or rejects a value.
    """
    make_mapper_options(options, mapper=mapper)
    return frozenset(name.rpartition(".")[2] for name in options)


def make_mapper_options(*layers: Mapping[str, Any], mapper: Mapper = "incremental") -> Any:
    """Return `pycolmap.IncrementalPipelineOptions` or `pycolmap.GlobalPipelineOptions`.

    Args:
        *layers: Values by name; later ones replace earlier ones. A name is an attribute of pycolmap's options, with its
            group ("mapper.init_min_tri_angle") or without. Values have pycolmap's type, or are texts.
        mapper: Mapper that the options belong to.

    Raises:
        InvalidInput: If pycolmap has no such option, or rejects a value.
        MissingDependency: If pycolmap is not installed.
    """
    options = getattr(require_pycolmap(), CLASSES[mapper])()
    for layer in layers:
        for name, value in layer.items():
            _set(options, name, value)
    with quiet_pycolmap(silent=True):
        is_valid = options.check() if mapper == "incremental" else True  # the global options have no check
    if not is_valid:
        values = ", ".join(f"{name}={value}" for layer in layers for name, value in layer.items())
        raise InvalidInput(f"mapper options out of range: {values}; see pycolmap.{CLASSES[mapper]}")
    return options


def _set(options: Any, name: str, value: Any) -> None:
    owner, attribute = _find(options, name)
    current = getattr(owner, attribute)
    try:
        setattr(owner, attribute, _parse(value, current) if isinstance(value, str) else value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"mapper option {name}: expected a value like {_text(current)}, got {value!r}"
        ) from error


def _find(options: Any, name: str) -> tuple[Any, str]:
    """Return the object with an option and the attribute's name."""
    group, _, attribute = name.rpartition(".")
    candidates = dict(_list_options(options))
    if name in candidates:
        return candidates[name], attribute
    matches = [full for full in candidates if not group and full.endswith(f".{attribute}")]
    if not matches:
        names = [full.rpartition(".")[2] for full in candidates]
        raise InvalidInput(
            f"unknown mapper option {name!r}{did_you_mean(attribute, names)}; the options are the attributes of "
            f"pycolmap.{type(options).__name__}"
        )
    return candidates[matches[0]], attribute


def _list_options(options: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the full name of each option and the object that has it, outer ones first."""
    groups = []
    for name in options.todict():
        value = getattr(options, name)
        if hasattr(value, "todict"):
            groups.append((name, value))
        else:
            yield prefix + name, options
    for name, value in groups:
        yield from _list_options(value, f"{prefix}{name}.")


def _parse(text: str, current: Any) -> Any:
    """Convert a text to the type of the current value."""
    if isinstance(current, bool):
        if text.lower() not in TRUE + FALSE:
            raise ValueError(text)
        return text.lower() in TRUE
    if isinstance(current, (int, float, Path)):
        return type(current)(text) if not isinstance(current, Path) else Path(text)
    if isinstance(current, (list, set)):
        words = [word.strip() for word in text.split(",") if word.strip()]
        return words if isinstance(current, list) else {int(word) for word in words}
    members = getattr(type(current), "__members__", None)
    if members is None:
        return text
    if text.upper() not in members:
        raise ValueError(text)
    return members[text.upper()]


def _text(current: Any) -> str:
    members = getattr(type(current), "__members__", None)
    return " or ".join(members) if members else repr(current)
