"""Errors for users: no path of the server, whatever the error says."""

from pathlib import Path

import pytest

from tiepoint.app.messages import INTERNAL, RequestError, public_message, status_of
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.io.atomic import check_writable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot read '/home/me/my photos/a.jpg': damaged", "cannot read …: damaged"),
        ("cache /home/me/.cache/tiepoint/a.pth: missing", "cache …: missing"),
        (r"cannot open C:\Users\me\a.jpg; check", "cannot open …; check"),
        ("in folder ~/secret/place, got", "in folder …, got"),
        ("use https://example.org/a/b.jpg or sub/a.jpg", "use https://example.org/a/b.jpg or sub/a.jpg"),
        ("first line\nsecond /line", "first line"),
    ],
)
def test_paths_are_left_out(text: str, expected: str) -> None:
    assert public_message(InvalidInput(text)) == expected


def test_other_errors_say_nothing() -> None:
    assert public_message(KeyError("/secret")) == INTERNAL
    assert status_of(KeyError("x")) == 500


def test_statuses() -> None:
    assert status_of(RequestError("x", 413)) == 413
    assert status_of(InvalidInput("x")) == 400
    assert status_of(WeightsError("x")) == 503
    assert public_message(WeightsError("offline")) == "the model cannot be loaded: offline"


def test_known_folders_with_spaces_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEPOINT_HOME", "/data/my cache")
    for text, expected in (
        ("cannot write /data/my cache/app/a.jpg: no space", "cannot write …: no space"),
        ("no permission for /data/my cache; choose another", "no permission for …; choose another"),
        ("see https://example.org/data/my cache", "see https://example.org/data/my cache"),
    ):
        assert public_message(InvalidInput(text)) == expected


def test_errors_of_writing_quote_paths(tmp_path: Path) -> None:
    target = tmp_path / "my friend's photos" / "a.jpg"
    with pytest.raises(InvalidInput) as error:
        check_writable(target)
    assert public_message(error.value) == "cannot write …: the folder … does not exist; create it first"
