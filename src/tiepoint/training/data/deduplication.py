"""Exact duplicates: files with the same content under several names, so that no image is both trained and validated on.

Only files of the same size are read, so large folders cost little.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, file_digest


def drop_duplicates(paths: Sequence[Path]) -> list[Path]:
    """Keep the first file of every content; unreadable files are kept, so that their reader reports them."""
    shared_sizes = {size for size, count in Counter(map(_size, paths)).items() if count > 1}
    kept: list[Path] = []
    known: set[str] = set()
    for path in paths:
        content = _content(path) if _size(path) in shared_sizes else None
        if content is None or content not in known:
            kept.append(path)
        if content is not None:
            known.add(content)
    return kept


def duplicates_of(originals: Iterable[Path], candidates: Sequence[Path]) -> list[Path]:
    """Return the candidates with the content of an original; a file is a duplicate of itself."""
    sizes = set(map(_size, candidates))
    same_size = [path for path in originals if _size(path) in sizes]
    sizes, contents = set(map(_size, same_size)), content_digests(same_size)
    return [path for path in candidates if _size(path) in sizes and _content(path) in contents]


def content_digests(paths: Iterable[Path]) -> set[str]:
    """Return the digests of all readable files."""
    return {content for content in map(_content, paths) if content is not None}


def content_digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256.

    Raises:
        OSError: If the file cannot be read.
    """
    return file_digest(path)[:SHORT_DIGEST_LENGTH]


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
