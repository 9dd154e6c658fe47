"""Settings of the server are validated before it starts."""

from pathlib import Path

import pytest

from tiepoint.app.settings import AppSettings, Limits
from tiepoint.errors import InvalidInput


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_limits_are_positive_numbers(value: float) -> None:
    with pytest.raises(InvalidInput, match=f"max_upload_mb: expected a positive number, got {value}"):
        Limits(max_upload_mb=float(value))


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.1", False), ("lab", False)],
)  # fmt: skip
def test_only_loopback_addresses_are_local(host: str, is_local: bool) -> None:
    assert AppSettings(host=host).is_local is is_local


def test_it_listens_on_this_machine_by_default() -> None:
    assert AppSettings().is_local
    assert not AppSettings().allow_local_urls


def test_the_root_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="root: not a folder"):
        AppSettings(root=tmp_path / "missing")
    with pytest.raises(InvalidInput, match="65535, got 70000"):
        AppSettings(port=70_000)
