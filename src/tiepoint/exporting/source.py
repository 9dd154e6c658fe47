"""What a bundle is made of: a loaded matcher, and the names and licenses of its weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from tiepoint.matcher import Matcher
from tiepoint.presets import find_preset, full_name
from tiepoint.weights import WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A network or method.

    Attributes:
        name: Name.
        license: License of its weights.
        weights: Names of its rows in `WEIGHTS`; empty for a folder, or without weights.
    """

    name: str
    license: str
    weights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A matcher to export.

    Attributes:
        name: Name of the preset, or of the folder.
        matcher: Extractor and matcher, on the CPU in float32.
        extractor: Name and license of the extractor.
        weights: Name and license of the matcher.
    """

    name: str
    matcher: Matcher
    extractor: Part
    weights: Part


def source_of(preset: str | os.PathLike[str], matcher: Matcher) -> Source:
    """Describe a loaded preset.

    Args:
        preset: Name of a preset, or folder of a trained model.
        matcher: The loaded matcher.
    """
    row = find_preset(preset)
    if row.folder is not None:
        license_name = f"that of the folder {row.folder.name}"
        parts = [Part(name=name, license=license_name) for name in (row.extractor, row.folder.name)]
    else:
        rows = (row.matcher_weights,) if row.matcher_weights else ()
        parts = [
            _published(row.extractor, row.extractor_weights),
            _published(row.matcher_weights or row.matcher, rows),
        ]
    name = Path(preset).name if row.folder is not None else str(full_name(preset))
    return Source(name=name, matcher=matcher, extractor=parts[0], weights=parts[1])


def _published(name: str, weights: tuple[str, ...]) -> Part:
    licenses = " + ".join(dict.fromkeys(WEIGHTS[row].license for row in weights))
    return Part(name=name, license=licenses or "none: without weights", weights=weights)


def license_text(source: Source) -> str:
    """Return the text of the file LICENSES.txt."""
    lines = [
        f"{source.name}: a bundle written by tiepoint (Apache-2.0), with the weights of",
        *(f"- {part.name}: {part.license}" for part in (source.extractor, source.weights)),
    ]
    names = dict.fromkeys((*source.extractor.weights, *source.weights.weights))
    rows = [WEIGHTS[name] for name in names]
    lines += [f"Source of {row.name}: {row.sources[0]}" for row in rows if row.sources]
    return "\n".join(lines) + "\n"
