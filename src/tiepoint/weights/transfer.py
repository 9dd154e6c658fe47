"""Download one file over HTTP: resumed where the server allows it, verified before it counts."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.weights.cache import digest, mismatch
from tiepoint.weights.progress import progress_bar

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 16
DEFAULT_TIMEOUT_S = 10.0
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP answers that may be another one a moment later."""


class SourceError(Exception):
    """A source doesn't give its file; the text says why, `passing` whether a second try may help."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


def download(
    url: str, part: Path, sha256: str | None, *, authorization: str = "", progress: bool = False
) -> None:
    """Download `url` to `part`, which may hold the beginning of it from an earlier run, and verify it.

    Args:
        url: http or https.
        part: file to append to; after a failure it stays for the next run, unless its content is wrong.
        sha256: expected digest; None: nobody knows it, so the beginning of an earlier run is not trusted.
        authorization: value of that header, if any; another host that the server redirects to doesn't see it.
        progress: whether to show a bar on stderr.

    Raises:
        SourceError: the server can't be reached, refuses, breaks off twice, or sends another file.
        OSError: `part` can't be written.
        InvalidInput: TIEPOINT_TIMEOUT isn't a number above 0.
    """
    if sha256 is None:
        part.unlink(missing_ok=True)
        _transfer(url, part, authorization, progress)
        return
    if part.is_file() and digest(part) == sha256:
        return
    resumed = _transfer(url, part, authorization, progress)
    if resumed and digest(part) != sha256:
        logger.info("%s: the resumed file isn't the expected one; starting afresh", url)
        part.unlink()
        _transfer(url, part, authorization, progress)
    found = digest(part)
    if found != sha256:
        part.unlink()
        raise SourceError(mismatch(found, sha256))


def timeout_s() -> float:
    """Seconds to wait for a server to connect or to send more: TIEPOINT_TIMEOUT, by default 10."""
    text = os.environ.get("TIEPOINT_TIMEOUT") or str(DEFAULT_TIMEOUT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidInput(f"TIEPOINT_TIMEOUT must be a number of seconds above 0, but is {text!r}")
    return seconds


def _transfer(url: str, part: Path, authorization: str, progress: bool) -> bool:
    """One transfer, and a second one after a first that broke; returns whether old bytes were kept."""
    try:
        return _append(url, part, authorization, progress)
    except SourceError as failure:
        if not failure.passing:
            raise
        logger.info("%s: %s; trying once more", url, failure)
        return _append(url, part, authorization, progress)


def _append(url: str, part: Path, authorization: str, progress: bool) -> bool:
    """Ask for what `part` lacks and write it; returns whether the server went on where `part` ended."""
    offset = part.stat().st_size if part.exists() else 0
    with _open(url, offset, authorization) as response:
        resumed = _goes_on(response, offset)
        size = _size(response, offset if resumed else 0)
        bar = progress_bar(part.stem, size, show=progress)
        with part.open("ab" if resumed else "wb") as file, bar as report:
            for chunk in _chunks(response):
                file.write(chunk)
                report(file.tell())
    received = part.stat().st_size
    if size is not None and received < size:
        raise SourceError(f"broke off after {received} of {size} bytes", passing=True)
    return resumed


def _open(url: str, offset: int, authorization: str) -> HTTPResponse:
    timeout = timeout_s()
    request = urllib.request.Request(url, headers={"User-Agent": "tiepoint"})
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # the file ends before `offset`: ours isn't its beginning
            return _open(url, 0, authorization)
        raise SourceError(f"HTTP {error.code} {error.reason}", passing=error.code in PASSING) from None
    except (OSError, HTTPException) as error:
        hung_up = isinstance(_cause(error), ConnectionResetError)
        raise SourceError(_reason(error), passing=hung_up) from None


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body; errors of the network become SourceError here, so that other OSErrors are the disk's."""
    while True:
        try:
            chunk = response.read(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise SourceError(f"broke off: {_reason(error)}", passing=True) from None
        if not chunk:
            return
        yield chunk


def _goes_on(response: HTTPResponse, offset: int) -> bool:
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _size(response: HTTPResponse, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    cause = _cause(error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _cause(error: Exception) -> object:
    return getattr(error, "reason", error)  # URLError wraps what happened
