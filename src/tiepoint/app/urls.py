"""Images from URLs: http and https only, and never from private addresses, whatever names and redirects say.

The address that was checked is the address that is connected to, so a name cannot resolve to another one in between.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse
from contextlib import suppress
from typing import Any

from tiepoint.app.messages import RequestError

MAX_REDIRECTS = 5
MAX_URL_LENGTH = 2_000  # characters
CHUNK_BYTES = 1 << 16  # per read of a socket
REDIRECTS = (301, 302, 303, 307, 308)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


def fetch(url: str, *, max_bytes: int, timeout_s: float, allow_local: bool = False) -> bytes:
    """Download a file into memory.

    Args:
        url: http or https URL.
        max_bytes: Maximum size in bytes.
        timeout_s: Maximum duration in s, redirects included.
        allow_local: Whether private, loopback and other non-public addresses are allowed.

    Raises:
        RequestError: If the URL is invalid, its host has a non-public address, or the download fails or exceeds a limit.
    """
    deadline = time.monotonic() + timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        parts = _parse(url)
        addresses = _resolve(parts.hostname or "", _port(parts))
        if not allow_local:
            _check_public(addresses, parts.hostname or "")
        try:
            content, url = _get(parts, url, addresses, max_bytes, deadline)
        except RequestError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = "time limit exceeded" if isinstance(error, TimeoutError) else "no valid answer"
            raise RequestError(
                f"cannot download from {parts.hostname}: {reason}; check the address"
            ) from error
        if content is not None:
            return content
    raise RequestError(f"cannot download the image: more than {MAX_REDIRECTS} redirects")


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet; IPv4 addresses within IPv6 count as themselves.

    Args:
        address: IPv4 or IPv6 address.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or address in _IPV4_COMPATIBLE:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if not all(is_public(each) for each in inner if each is not None):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast and not address.is_reserved


def _parse(url: str) -> urllib.parse.SplitResult:
    if len(url) > MAX_URL_LENGTH:
        raise RequestError(f"a URL of {len(url):,} characters exceeds the limit of {MAX_URL_LENGTH:,}")
    if not url.isascii() or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise RequestError("invalid URL: percent-encode spaces and characters that are not ASCII")
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RequestError("invalid URL; expected one like https://example.org/image.jpg") from error
    if parts.scheme not in ("http", "https"):
        raise RequestError(f"unsupported URL scheme {parts.scheme[:20]!r}; use http or https, or drop a file")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise RequestError("invalid URL: expected a host, and neither user name nor password")
    return parts


def _port(parts: urllib.parse.SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RequestError(f"cannot find the host {host[:100]!r}; check the address") from error
    return [str(entry[4][0]) for entry in found]


def _check_public(addresses: list[str], host: str) -> None:
    """Refuse a host if any of its addresses is not public."""
    for text in addresses:
        if not is_public(ipaddress.ip_address(text.partition("%")[0])):
            raise RequestError(
                f"the host {host[:100]!r} has a private or loopback address, which this server does not open; "
                "drop the file instead, or start the server with --allow-local-urls",
                403,
            )


def _get(
    parts: urllib.parse.SplitResult, url: str, addresses: list[str], max_bytes: int, deadline: float
) -> tuple[bytes | None, str]:
    """Return the content; or None and the URL of a redirect."""
    connection = _connect(parts, addresses, deadline)
    watchdog = threading.Timer(_seconds_left(deadline), _shut_down, [connection.sock])
    watchdog.daemon = True
    watchdog.start()  # a server may send one byte per minute
    try:
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers={"User-Agent": "tiepoint", "Accept": "image/*"})
        response = connection.getresponse()
        if response.status in REDIRECTS:
            return None, urllib.parse.urljoin(url, response.getheader("Location") or "")
        if response.status != 200:
            raise RequestError(f"cannot download from {parts.hostname}: HTTP status {response.status}")
        return _read(response, max_bytes, deadline), url
    finally:
        watchdog.cancel()
        connection.close()


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _connect(
    parts: urllib.parse.SplitResult, addresses: list[str], deadline: float
) -> http.client.HTTPConnection:
    """Connect to one of the addresses that were checked; the name serves for TLS and the Host header only."""
    connection: Any = http.client.HTTPConnection(parts.hostname or "", _port(parts))
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname or "", _port(parts))
    sock = _open_socket(addresses, _port(parts), deadline)
    if parts.scheme == "https":
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=parts.hostname)
    connection.sock = sock
    return connection


def _open_socket(addresses: list[str], port: int, deadline: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), _seconds_left(deadline))
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), _seconds_left(deadline))


def _read(response: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    data = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        data += chunk
        if len(data) > max_bytes:
            raise RequestError(f"the file at this URL exceeds the limit of {max_bytes / 1e6:g} MB", 413)
    _seconds_left(deadline)  # at the deadline, the connection was shut down
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(data)


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
