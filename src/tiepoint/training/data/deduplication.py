"""Files of the same bytes under several names: what is learned from under one must not be validated on under another.

Only files of the same size are read, so that large folders cost little.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path


def distinct(paths: Sequence[Path]) -> list[Path]:
    """The first of the files of each content; those that can't be read stay, for whoever reads them to say so."""
    crowded = {size for size, count in Counter(map(_size, paths)).items() if count > 1}
    kept: list[Path] = []
    seen: set[str] = set()
    for path in paths:
        content = _content(path) if _size(path) in crowded else None
        if content is None or content not in seen:
            kept.append(path)
        if content is not None:
            seen.add(content)
    return kept


def copies_of(originals: Iterable[Path], among: Sequence[Path]) -> list[Path]:
    """The files of `among` whose content is that of an original; an original is a copy of itself."""
    sizes = set(map(_size, among))
    alike = [path for path in originals if _size(path) in sizes]
    sizes, contents = set(map(_size, alike)), readable_contents(alike)
    return [path for path in among if _size(path) in sizes and _content(path) in contents]


def readable_contents(paths: Iterable[Path]) -> set[str]:
    """Digests of the files that can be read."""
    return {content for content in map(_content, paths) if content is not None}


def content_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _content(path: Path) -> str | None:
    try:
        return content_digest(path)
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
