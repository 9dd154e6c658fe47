"""Digests of files, texts and configurations; every stored digest of the package comes from here."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

HashName = Literal["sha256", "sha1"]

SHORT_DIGEST_LENGTH = 16
"""Hexadecimal digits (64 bits) of digests that tell settings apart: cache keys and fingerprints."""


def file_digest(path: str | os.PathLike[str], algorithm: HashName = "sha256") -> str:
    """Return the hexadecimal digest of a file's content; the file is read in chunks.

    Raises:
        OSError: If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def bytes_digest(content: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text (UTF-8) as 64 hexadecimal digits."""
    return bytes_digest(text.encode("utf-8", "surrogatepass"))


def short_digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text."""
    return text_digest(text)[:SHORT_DIGEST_LENGTH]


def json_digest(value: Any) -> str:
    """Return a short digest of a JSON value that does not depend on the order of keys."""
    return short_digest(json.dumps(value, sort_keys=True))
