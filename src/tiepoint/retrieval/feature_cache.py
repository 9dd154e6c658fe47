"""Features of image files, stored between runs. Files are identified by their content, so they may be moved."""

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.feature_store import Store
from tiepoint.feature_store.records import features_from_record, features_to_record
from tiepoint.io.hashing import file_digest
from tiepoint.matcher import Matcher
from tiepoint.types import Features

logger = logging.getLogger(__name__)

KIND = "features"

SHARD_SIZE = 16
# Images per shard: at most this many are extracted again after an interruption


class FeatureCache:
    """Extract features once per file content; features are always read back from the store.

    A context manager: pending features are written when the block ends, with or without an error.

    Args:
        folder: Folder of the cache; created if it does not exist. Otherwise empty, or a cache with the same settings.
        matcher: Matcher that extracts the features.

    Raises:
        StoreError: If the folder contains other files, or a cache with other settings; the message lists the
            differences.
        InvalidInput: If the folder cannot be created or written to.
        MissingDependency: If h5py is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], matcher: Matcher) -> None:
        self.matcher = matcher
        self.store = Store(folder, _settings(matcher))
        self._pending: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def extract(self, path: Path) -> Features:
        """Return the features of a file, from the store if available.

        Raises:
            InvalidInput: If the file cannot be read as an image.
        """
        key = _digest(path)
        record = self._pending.get(key) or self._read(key)
        if record is None:
            record = features_to_record(self.matcher.extract(path))
            self._add(key, record)
        return replace(features_from_record(record), source=os.path.abspath(path))  # noqa: PTH100

    def _read(self, key: str) -> dict[str, Any] | None:
        """Return the stored record; None if there is none or it is damaged."""
        try:
            return self.store.read(KIND, key) if self.store.has(KIND, key) else None
        except StoreError as error:
            logger.warning("%s", error)
            return None

    def _add(self, key: str, record: Mapping[str, Any]) -> None:
        self._pending[key] = dict(record)
        if len(self._pending) >= SHARD_SIZE:
            self._write()

    def _write(self) -> None:
        if self._pending:
            self.store.write(KIND, self._pending)
            self._pending = {}


def _settings(matcher: Matcher) -> dict[str, Any]:
    """Return all settings that the features of a file depend on."""
    return {"made by": "tiepoint find", **asdict(matcher.extractor.settings)}


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise InvalidInput(f"cannot open {str(path)!r}: {error.strerror or error}") from error
