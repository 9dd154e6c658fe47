"""Serve the application: an open socket first, so that a port in use is one line; then uvicorn."""

import errno
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from tiepoint.app.settings import AppSettings
from tiepoint.errors import InvalidInput
from tiepoint.io.messages import first_line
from tiepoint.io.optional import import_optional

if TYPE_CHECKING:
    from tiepoint.app.models import Models

logger = logging.getLogger(__name__)

EXTRA = "tiepoint[app]"
MAX_CONNECTIONS = 200  # further ones get status 503
LIBRARIES = ("starlette", "uvicorn", "python_multipart")


def serve(settings: AppSettings, on_start: Callable[[str], None] = lambda url: None) -> None:
    """Serve the page and the API until the process is interrupted.

    The preset of the settings is loaded in the background, and its weights are downloaded if they are missing.

    Args:
        settings: Settings of the server.
        on_start: Called with the URL of the page once the server accepts connections.

    Raises:
        InvalidInput: If the address cannot be listened on, or the temporary folder cannot be created.
        MissingDependency: If the extra `app` is not installed.
    """
    for library in LIBRARIES:
        import_optional(library, purpose="tiepoint app", install=EXTRA)
    import uvicorn

    sock = open_socket(settings.host, settings.port)
    # after the socket: a port in use is reported before torch is imported
    from tiepoint.app.options import server_preset
    from tiepoint.app.routes import create_app
    from tiepoint.app.service import Service

    service = Service.create(settings)
    config = uvicorn.Config(
        create_app(service),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    threading.Thread(
        target=_load_preset, args=(service.models, server_preset(settings)), name="tiepoint-load", daemon=True
    ).start()
    on_start(url_of(sock))
    uvicorn.Server(config).run(sockets=[sock])


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Args:
        host: Name or address of this machine.
        port: Port; 0 takes a free one.

    Raises:
        InvalidInput: If the port is in use or not permitted, or the address is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        hint = {
            errno.EADDRINUSE: "use another port, such as --port 0 for a free one",
            errno.EACCES: "use a port above 1023",
        }.get(error.errno or 0, "use an address of this machine, such as 127.0.0.1")
        raise InvalidInput(
            f"cannot listen on {host} port {port}: {error.strerror or first_line(error)}; {hint}"
        ) from error


def url_of(sock: socket.socket) -> str:
    """Return the URL of the page on a listening socket."""
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _load_preset(models: "Models", preset: str) -> None:
    try:
        models.load(preset)
    except Exception as error:
        logger.warning("cannot load %s: %s; matching fails until it can be loaded", preset, error)
