"""Weights that a run is given instead of the preset's: absolute paths in its options, recorded by their digests.

An output folder has one set of weights per preset. The steps of a run, and runs that resume it, may find the files
elsewhere, but with the same content.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.types.options import NetworkOptions
from tiepoint.weights import WEIGHTS, weights_digest

WEIGHTS_OPTIONS = ("extractor_weights", "matcher_weights")
"""Options of `tiepoint.load` that are names or files of weights."""

Digests: TypeAlias = dict[str, list[str]]
"""Option -> SHA-256 of each of its files; without the options that are not given."""

SHOWN_DIGITS = 12
"""Digits of a SHA-256 in messages."""


def with_absolute_paths(load: NetworkOptions) -> NetworkOptions:
    """Return options of `tiepoint.load` whose weights files have absolute paths, as plain values.

    Args:
        load: Options of `tiepoint.load`; names of published weights are kept.
    """
    given = dict[str, Any](load)
    paths = {name: _absolute(given[name]) for name in WEIGHTS_OPTIONS if given.get(name) is not None}
    return NetworkOptions(**{**load, **paths})  # pyright: ignore[reportArgumentType]


def digests_of(load: NetworkOptions) -> Digests:
    """Return the digests of the weights that options of `tiepoint.load` give.

    Args:
        load: Options of `tiepoint.load`.

    Raises:
        InvalidInput: If a file does not exist.
        WeightsError: If a file cannot be read.
    """
    given = dict[str, Any](load)
    accept = load.get("accept_license", False)
    return {
        name: [weights_digest(file, accept_license=accept) for file in files]
        for name in WEIGHTS_OPTIONS
        if (files := _files(given.get(name)))
    }


def check_same_weights(folder: Path, previous: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Check that a run has the weights of the previous run with the same preset.

    Args:
        folder: Output folder.
        previous: Options of the previous run, as in `collection.json`.
        options: Options of this run.

    Raises:
        InvalidInput: If the weights differ.
    """
    if "weights" not in previous or previous["preset"] != options["preset"]:
        return
    for name in WEIGHTS_OPTIONS:
        if previous["weights"].get(name) != options["weights"].get(name):
            raise InvalidInput(
                f"{folder} was computed with other weights: {name} were {_describe(name, previous)}, "
                f"got {_describe(name, options)}; give the same ones, or use a new folder"
            )


def _files(value: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    if value is None:
        return []
    return [value] if isinstance(value, str | Path) else list(value)


def _absolute(value: str | Path | Sequence[str | Path]) -> str | list[str]:
    if not isinstance(value, str | Path):
        return [str(_absolute(file)) for file in value]
    is_name = isinstance(value, str) and value in WEIGHTS
    return str(value) if is_name else str(Path(value).expanduser().absolute())


def _describe(name: str, options: Mapping[str, Any]) -> str:
    files = _files(options["load"].get(name))
    digests = options["weights"].get(name, [])
    named = [f"{file} (SHA-256 {digest[:SHOWN_DIGITS]})" for file, digest in zip(files, digests, strict=True)]
    return ", ".join(named) or "the preset's"
