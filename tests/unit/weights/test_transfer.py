"""HTTP transfers; tests/e2e/test_weights_download.py runs them against a server."""

import hashlib
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.weights import Weights, resolve
from tiepoint.weights.transfer import SourceError, download


def ignore(count: int) -> None:
    """Show no progress."""


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_time_out_must_be_a_number_of_seconds(text: str, row: Weights, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIEPOINT_OFFLINE")
    monkeypatch.setenv("TIEPOINT_TIMEOUT", text)
    with pytest.raises(InvalidInput, match="TIEPOINT_TIMEOUT"):
        resolve("tiny")


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (503, 2), (429, 2)])
def test_only_transient_errors_are_retried(
    status: int, requests: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    urls = []

    def refuse(request: Request, timeout: float) -> None:
        urls.append(request.full_url)
        raise HTTPError(request.full_url, status, "no", Message(), None)

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(SourceError, match=f"HTTP {status}"):
        download("https://example.invalid/a", tmp_path / "a.part", "0" * 64, ignore)
    assert len(urls) == requests


def test_a_complete_part_is_not_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("urllib.request.urlopen", None)
    part = tmp_path / "a.part"
    part.write_bytes(b"tensors")
    download("https://example.invalid/a", part, hashlib.sha256(b"tensors").hexdigest(), ignore)
    assert part.read_bytes() == b"tensors"
