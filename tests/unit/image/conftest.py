"""Fixtures of the image tests."""

import jaxtyping
import pytest


@pytest.fixture
def without_type_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the checker that the tests install, which would reject wrong types before the package does."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
