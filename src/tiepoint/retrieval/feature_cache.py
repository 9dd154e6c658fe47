"""Features of files, kept in a store from one run to the next. A file is known by its content, so it may move."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store import Store
from tiepoint.feature_store.records import features_from_record, features_to_record
from tiepoint.matcher import Matcher
from tiepoint.types import Features

logger = logging.getLogger(__name__)

KIND = "features"

SHARD = 16
"""Images that are written together: what is extracted again when the program is killed."""


class FeatureCache:
    """Extract a file once, whatever the number of runs; what it gives is always what the store gives back.

    A context manager: what isn't written yet is written when the block ends, however it does.

    Args:
        folder: made where it doesn't exist; otherwise empty, or one that was made with the same settings.
        matcher: what extracts.

    Raises:
        StoreError: the folder holds something else, or was made with other settings; the message says which.
        InvalidInput: the folder can't be made or written to.
        MissingDependency: h5py isn't installed.
    """

    def __init__(self, folder: str | os.PathLike[str], matcher: Matcher) -> None:
        self.matcher = matcher
        self.store = Store(folder, _settings(matcher))
        self._pending: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def features_of(self, path: Path) -> Features:
        """Features of a file, from the store where it has them.

        Raises:
            InvalidInput: it can't be read as an image.
        """
        key = _digest(path)
        record = self._pending.get(key) or self._read(key)
        if record is None:
            record = features_to_record(self.matcher.extract(path))
            self._keep(key, record)
        return replace(features_from_record(record), source=str(path))

    def _read(self, key: str) -> dict[str, Any] | None:
        """What the store has; nothing where that is damaged, which is set aside."""
        try:
            return self.store.read(KIND, key) if self.store.has(KIND, key) else None
        except StoreError as error:
            logger.warning("%s", error)
            return None

    def _keep(self, key: str, record: Mapping[str, Any]) -> None:
        self._pending[key] = dict(record)
        if len(self._pending) >= SHARD:
            self._write()

    def _write(self) -> None:
        if self._pending:
            self.store.write(KIND, self._pending)
            self._pending = {}


def _settings(matcher: Matcher) -> dict[str, Any]:
    """Everything that decides the features of a file."""
    return {"made by": "tiepoint find", **asdict(matcher.extractor.settings)}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{str(path)!r} can't be opened: {error.strerror or error}") from error
