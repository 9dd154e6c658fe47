"""Checks of every request before anything reads it: Host and Origin, size, time; and security headers of every answer.

- Host: a page of another site whose name is made to resolve to this server (DNS rebinding) sends that name.
- Origin and Sec-Fetch-Site: a page of another site can send forms here, but cannot hide where they come from.
"""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from tiepoint.app.messages import RequestError
from tiepoint.app.settings import AppSettings, Limits

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

SAFE_METHODS = ("GET", "HEAD")
UPLOAD_GRACE_S = 10.0  # before the minimum rate of uploads counts
OVERHEAD_BYTES = 1_000_000  # of a request besides its images: options, masks as polygons, multipart headers

# Of pages and data; reports have policies of their own
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware around the application.

    Args:
        app: Application.
        settings: Settings of the server.
    """

    def __init__(self, app: Application, settings: AppSettings) -> None:
        self._app = app
        self._settings = settings
        self._max_bytes = int(settings.limits.max_request_mb * 1e6) + OVERHEAD_BYTES

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        try:
            self._check(scope["method"], headers)
        except RequestError as error:
            await _refuse(error, _with_headers(send))
            return
        await self._app(scope, self._limited(receive), _with_headers(send))

    def _check(self, method: str, headers: dict[str, list[str]]) -> None:
        """Refuse requests of other sites, and those that are too large.

        Raises:
            RequestError: If the request must not be answered.
        """
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not is_allowed_host(hosts[0], self._settings):
            raise RequestError(
                "this server does not answer under this name; use its IP address, or start it with --allowed-host NAME",
                421,
            )
        if method not in SAFE_METHODS and not is_same_origin(headers, hosts[0]):
            raise RequestError("requests of other sites are refused", 403)
        length = headers.get("content-length", ["0"])[0]
        if not length.isdecimal() or int(length) > self._max_bytes:
            raise self._too_large()

    def _limited(self, receive: Receive) -> Receive:
        """Count the bytes of the body, and bound the time until its end, so that slow clients do not block others."""
        clock, limits = asyncio.get_running_loop().time, self._settings.limits
        size, start, is_complete = 0, None, False
        last = clock() + limits.upload_timeout_s  # for waiting requests, too, so that they cannot add up

        async def counted() -> Message:
            nonlocal size, start, is_complete
            if is_complete:  # waits for the end of the connection
                return await receive()
            start = clock() if start is None else start  # a request may have waited for its turn before
            try:
                async with asyncio.timeout_at(min(last, start + allowed_time_s(size, limits))):
                    message = await receive()
            except TimeoutError as error:
                raise RequestError(
                    "the upload takes too long; send smaller files, or use a faster connection", 408
                ) from error
            size += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if size > self._max_bytes:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> RequestError:
        limit = self._settings.limits.max_request_mb
        return RequestError(
            f"the request exceeds the limit of {limit:g} MB; send fewer or smaller images", 413
        )


def allowed_time_s(size: int, limits: Limits) -> float:
    """Return the time in s in which a client must send more than `size` bytes: a few seconds, plus their time.

    Args:
        size: Number of bytes received so far.
        limits: Limits of the server.
    """
    return UPLOAD_GRACE_S + size / (1e3 * limits.min_upload_kb_per_s)


def is_allowed_host(host: str, settings: AppSettings) -> bool:
    """Return whether a Host header names this server: an IP address, localhost, or an allowed name.

    Args:
        host: Value of the header: name or address, and port.
        settings: Settings of the server.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.lower().rstrip(".")
    if name in ("localhost", settings.host.lower(), *(each.lower() for each in settings.allowed_hosts)):
        return True
    try:  # no name, so nobody can make it resolve to another address
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def is_same_origin(headers: dict[str, list[str]], host: str) -> bool:
    """Return whether a request is from a page of this server, or from a program.

    Args:
        headers: Values of each header; browsers send Origin and Sec-Fetch-Site, programs neither.
        host: Value of the Host header.
    """
    sites = headers.get("sec-fetch-site", [])
    if any(site not in ("same-origin", "none") for site in sites):
        return False
    origins = headers.get("origin", [])
    return all(origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower()) for origin in origins)


def _headers(scope: Message) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return values


def _with_headers(send: Send) -> Send:
    """Add the security headers that an answer does not set itself."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return sent


async def _refuse(error: RequestError, send: Send) -> None:
    body = json.dumps({"error": str(error)}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
