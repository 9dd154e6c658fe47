"""Download of one file over HTTP: resumed if the server supports it, and verified before use."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.io.hashing import file_digest
from tiepoint.io.progress import Advance
from tiepoint.weights.cache import digest_mismatch

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 16
DEFAULT_TIMEOUT_S = 10.0
TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses of errors that may disappear on a retry."""


class SourceError(Exception):
    """A source failed.

    Args:
        reason: Reason of the failure.
        is_transient: Whether a retry may succeed.
    """

    def __init__(self, reason: str, *, is_transient: bool = False) -> None:
        super().__init__(reason)
        self.is_transient = is_transient


def download(url: str, part: Path, sha256: str | None, advance: Advance, *, authorization: str = "") -> None:
    """Download a URL to a file, resuming an earlier download, and verify its digest.

    Args:
        url: http or https URL.
        part: File to append to; after a failure it is kept for the next run, unless its content is wrong.
        sha256: Expected digest; None if unknown, then an earlier download is not resumed.
        advance: Called with the number of received bytes; negative if they are discarded.
        authorization: Value of the Authorization header, if any; not sent to other hosts after a redirect.

    Raises:
        SourceError: If the server is unreachable, returns an error, is interrupted twice, or sends another file.
        OSError: If `part` is not writable.
        InvalidInput: If TIEPOINT_TIMEOUT is not a positive number.
    """
    received = _Position(advance)
    if sha256 is None:
        part.unlink(missing_ok=True)
        _transfer(url, part, authorization, received)
        return
    if part.is_file() and file_digest(part) == sha256:
        return
    resumed = _transfer(url, part, authorization, received)
    if resumed and file_digest(part) != sha256:
        logger.info("%s: the resumed file has an unexpected digest; restarting the download", url)
        part.unlink()
        _transfer(url, part, authorization, received)
    digest = file_digest(part)
    if digest != sha256:
        part.unlink()
        raise SourceError(digest_mismatch(digest, sha256))


class _Position:
    """Number of bytes of a file that are there, reported as it changes."""

    def __init__(self, advance: Advance) -> None:
        self.bytes = 0
        self._advance = advance

    def move_to(self, position: int) -> None:
        """Report the difference to the previous position."""
        self._advance(position - self.bytes)
        self.bytes = position


def timeout_s() -> float:
    """Return the timeout in s for connecting and for receiving data: TIEPOINT_TIMEOUT, by default 10."""
    text = os.environ.get("TIEPOINT_TIMEOUT") or str(DEFAULT_TIMEOUT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidInput(f"TIEPOINT_TIMEOUT must be a positive number of seconds, got {text!r}")
    return seconds


def _transfer(url: str, part: Path, authorization: str, received: "_Position") -> bool:
    """Transfer, with one retry after a transient failure; return whether earlier bytes were kept."""
    try:
        return _append(url, part, authorization, received)
    except SourceError as failure:
        if not failure.is_transient:
            raise
        logger.info("%s: %s; retrying", url, failure)
        return _append(url, part, authorization, received)


def _append(url: str, part: Path, authorization: str, received: "_Position") -> bool:
    """Request the missing bytes and append them; return whether the server resumed at the end of `part`."""
    offset = part.stat().st_size if part.exists() else 0
    with _open(url, offset, authorization) as response:
        resumed = _is_resumed(response, offset)
        start = offset if resumed else 0
        size = _size(response, start)
        with part.open("ab" if resumed else "wb") as file:
            received.move_to(start)
            for chunk in _chunks(response):
                file.write(chunk)
                received.move_to(received.bytes + len(chunk))
    if size is not None and received.bytes < size:
        raise SourceError(f"interrupted after {received.bytes} of {size} bytes", is_transient=True)
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
        if error.code == 416 and offset:  # the file is shorter than `offset`: `part` is not its beginning
            return _open(url, 0, authorization)
        raise SourceError(
            f"HTTP {error.code} {error.reason}", is_transient=error.code in TRANSIENT_STATUSES
        ) from None
    except (OSError, HTTPException) as error:
        is_reset = isinstance(_cause(error), ConnectionResetError)
        raise SourceError(_reason(error), is_transient=is_reset) from None


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body; network errors become SourceError here, so that all other OSErrors are errors of the disk."""
    while True:
        try:
            chunk = response.read(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise SourceError(f"interrupted: {_reason(error)}", is_transient=True) from None
        if not chunk:
            return
        yield chunk


def _is_resumed(response: HTTPResponse, offset: int) -> bool:
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")


def _size(response: HTTPResponse, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    cause = _cause(error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _cause(error: Exception) -> object:
    return getattr(error, "reason", error)  # URLError wraps the cause
