"""Opening a bundle: its manifest, its digests, and the runtime of its graphs."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.io.config import from_dict
from tiepoint.io.hashing import file_digest
from tiepoint.runtimes.manifest import FORMAT, FORMAT_VERSION, MANIFEST, GraphEntry, Manifest
from tiepoint.runtimes.opencv import MATCHER_INPUTS, OpenCvExtractor, OpenCvMatcher
from tiepoint.runtimes.sessions import Session, open_session


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are those of its manifest.

    Attributes:
        folder: Folder of the bundle.
        manifest: Content of `manifest.json`.
    """

    folder: Path
    manifest: Manifest

    def graph(self, name: str) -> GraphEntry:
        """Return the entry of a graph."""
        return next(graph for graph in self.manifest.graphs if graph.name == name)

    def session(self, name: str, *, threads: int | None = None) -> Session:
        """Load a graph in the runtime of the bundle.

        Args:
            name: Name of the graph.
            threads: Number of CPU threads; None leaves it to the runtime.

        Raises:
            MissingDependency: If the runtime is not installed.
        """
        session = open_session(self.folder / self.graph(name).file, self.manifest.target, threads=threads)
        if self.manifest.target != "opencv":
            return session
        return (OpenCvExtractor if name == self.manifest.extractor.graph else OpenCvMatcher)(session)

    def input_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the inputs of the session of a matcher's graph."""
        if self.manifest.target == "opencv":
            return MATCHER_INPUTS
        return tuple(tensor.name for tensor in self.graph(name).inputs)


def is_bundle(path: object) -> bool:
    """Return whether an object is the path of a folder with a manifest."""
    return isinstance(path, str | os.PathLike) and os.path.isfile(os.path.join(path, MANIFEST))  # noqa: PTH113, PTH118 - any text, without an error


def open_bundle(path: str | os.PathLike[str], *, verify: bool = True) -> Bundle:
    """Open a bundle.

    Args:
        path: Folder written by `tiepoint export`.
        verify: Compare the digests of all files with the manifest.

    Raises:
        InvalidInput: If the folder is not a bundle, has a newer format, or a file is missing or was changed.
    """
    folder = Path(path)
    bundle = Bundle(folder, _read_manifest(folder))
    if verify:
        _check_files(bundle)
    return bundle


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"cannot read {path}: {error}; expected a folder written by tiepoint export"
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InvalidInput(
            f"{path}: expected format {FORMAT!r}; export the bundle again with tiepoint export"
        )
    version = values.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InvalidInput(
            f"{folder}: format version {version} is newer than {FORMAT_VERSION}, the newest that this version of "
            "tiepoint reads; update tiepoint, or export the bundle again"
        )
    try:
        return from_dict(Manifest, values)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}; export the bundle again") from error


def _check_files(bundle: Bundle) -> None:
    for entry in bundle.manifest.files:
        path = bundle.folder / entry.name
        if not path.is_file():
            raise InvalidInput(f"{bundle.folder}: file {entry.name} is missing; export the bundle again")
        if path.stat().st_size != entry.bytes or file_digest(path) != entry.sha256:
            raise InvalidInput(
                f"{path} was changed after the export: its SHA-256 differs from the manifest; export the bundle again"
            )
