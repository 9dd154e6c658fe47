"""Images from http and https URLs, with limits on time and size."""

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.image.opening import one_line
from tiepoint.io.messages import quote, redact_url

CHUNK_BYTES = 1 << 16  # per read of a socket
MIN_BYTES_PER_S = 10_000  # a slower download runs into the timeout


def download(url: str, timeout: float, max_download_mb: float) -> bytes:
    """Download a file into memory.

    Args:
        url: http or https URL; non-ASCII characters are quoted.
        timeout: Timeout of the server in s; a download may take 1 s longer per 10 kB.
        max_download_mb: Maximum size in MB.

    Raises:
        InvalidInput: If the server cannot be reached, returns an error, or exceeds a limit.
    """
    name = quote(redact_url(url))
    ascii_url = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    try:
        request = urllib.request.Request(ascii_url, headers={"User-Agent": "tiepoint"})
        with _web_opener().open(request, timeout=timeout) as response:
            return _read_response(response, name, timeout, max_download_mb)
    except InvalidInput:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise InvalidInput(
            f"cannot download {name}: HTTP status {error.code} {error.reason}; check the address"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(error, name, timeout) from error


def _web_opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only, also after redirects; urllib's default also opens files and FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _read_response(response: Any, name: str, timeout: float, max_download_mb: float) -> bytes:
    content_length = int(response.headers.get("Content-Length") or 0)
    _check_size(content_length, name, max_download_mb)
    data = bytearray()
    start = time.monotonic()
    while chunk := response.read1(CHUNK_BYTES):
        data += chunk
        _check_size(len(data), name, max_download_mb)
        if time.monotonic() - start > timeout + len(data) / MIN_BYTES_PER_S:
            raise TimeoutError
    if len(data) < content_length:
        raise InvalidInput(
            f"incomplete download of {name}: expected {content_length:,} bytes, got {len(data):,}; try again"
        )
    return bytes(data)


def _check_size(size: int, name: str, max_download_mb: float) -> None:
    if size > max_download_mb * 1e6:
        raise InvalidInput(
            f"{name} exceeds the limit of {max_download_mb:g} MB; increase max_download_mb to download it"
        )


def _unreachable(error: Exception, name: str, timeout: float) -> InvalidInput:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return InvalidInput(
            f"cannot download {name}: timeout of {timeout:g} s exceeded; try again, or increase timeout"
        )
    reason = one_line(cause) if isinstance(cause, Exception) else str(cause)
    return InvalidInput(f"cannot download {name}: {reason}; check the address and the network")
