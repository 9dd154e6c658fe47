"""`tiepoint app`: its options become settings; the address is printed, and a warning if others can reach it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tiepoint.app import server
from tiepoint.app.settings import AppSettings, Limits
from tiepoint.cli import app
from tiepoint.errors import InvalidInput


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[AppSettings]:
    """Settings of the servers that were started."""
    seen: list[AppSettings] = []

    def serve(settings: AppSettings, on_start: Callable[[str], None]) -> None:
        seen.append(settings)
        on_start("http://127.0.0.1:1/")

    monkeypatch.setattr(server, "serve", serve)
    return seen


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["app", *map(str, arguments)])


def test_defaults(served: list[AppSettings]) -> None:
    result = run()
    assert (result.exit_code, result.stdout, result.stderr) == (0, "tiepoint app: http://127.0.0.1:1/\n", "")
    assert served == [AppSettings()]


def test_options(served: list[AppSettings], tmp_path: Path) -> None:
    result = run(
        *("--host", "0.0.0.0", "--port", 0, "--root", tmp_path, "--preset", "fast", "--allow-local-urls"),
        *("--allowed-host", "a", "--allowed-host", "b", "--max-upload-mb", 5, "--device", "cpu"),
    )
    assert "0.0.0.0 is reachable from other machines" in result.stderr
    assert served == [
        AppSettings(
            host="0.0.0.0",
            port=0,
            root=tmp_path,
            preset="fast",
            allow_local_urls=True,
            allowed_hosts=("a", "b"),
            device="cpu",
            limits=Limits(max_upload_mb=5, max_request_mb=50),
        )
    ]


def test_a_missing_root_is_an_error(served: list[AppSettings], tmp_path: Path) -> None:
    result = run("--root", tmp_path / "missing")
    assert isinstance(result.exception, InvalidInput)
    assert served == []
