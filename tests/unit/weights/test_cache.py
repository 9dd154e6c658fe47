"""The cache folder."""

from pathlib import Path

import pytest

from tiepoint.errors import WeightsError
from tiepoint.weights import Weights, resolve, weights_folder


def test_default_home_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIEPOINT_HOME")
    assert weights_folder() == Path.home() / ".cache" / "tiepoint" / "weights"


def test_home_that_is_a_file(row: Weights, home: Path, monkeypatch: pytest.MonkeyPatch):
    home.write_text("in the way")
    monkeypatch.delenv("TIEPOINT_OFFLINE")
    with pytest.raises(WeightsError, match=rf"{home}/weights.*TIEPOINT_HOME"):
        resolve("tiny")
