"""The address of the server: one line for what cannot be listened on."""

import socket
import sys

import pytest

from tiepoint.app.server import open_socket, serve, url_of
from tiepoint.app.settings import AppSettings
from tiepoint.errors import InvalidInput, MissingDependency


def test_a_free_port() -> None:
    with open_socket("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert url_of(sock) == f"http://127.0.0.1:{port}/"
        with pytest.raises(
            InvalidInput, match=rf"cannot listen on 127.0.0.1 port {port}: .*; use another port"
        ):
            open_socket("127.0.0.1", port)


def test_an_address_of_another_machine() -> None:
    for host in ("192.0.2.1", "nothing.invalid"):
        with pytest.raises(InvalidInput, match="use an address of this machine"):
            open_socket(host, 0)


def test_all_addresses() -> None:
    with open_socket("0.0.0.0", 0) as sock:
        assert url_of(sock).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6() -> None:
    try:
        sock = open_socket("::1", 0)
    except InvalidInput:
        pytest.skip("no IPv6 on this machine")
    with sock:
        assert url_of(sock).startswith("http://[::1]:")


def test_a_port_in_use_is_reported_before_anything_is_loaded() -> None:
    with open_socket("127.0.0.1", 0) as sock, pytest.raises(InvalidInput, match="use another port"):
        serve(AppSettings(port=sock.getsockname()[1]))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingDependency, match=r"pip install 'tiepoint\[app\]'"):
        serve(AppSettings(port=0))
