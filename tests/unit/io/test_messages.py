"""Parts of error messages."""

import pytest

from tiepoint.io.messages import did_you_mean, first_line, quote, redact_url, unknown_name


def test_close_names_are_suggested() -> None:
    assert did_you_mean("aliked-n61", ["aliked-n16", "disk"]) == "; did you mean 'aliked-n16'?"
    assert did_you_mean("zzz", ["aliked-n16", "disk"]) == ""
    assert did_you_mean("ab", ["abc", "abd", "x"], max_suggestions=2).count("'ab") == 2


def test_unknown_names_list_the_available_ones() -> None:
    assert unknown_name("preset", "dsk", ["disk", "aliked"]) == (
        "unknown preset 'dsk'; available: disk, aliked; did you mean 'disk'?"
    )


@pytest.mark.parametrize(
    ("error", "expected"), [(ValueError("a\nb"), "a"), (ValueError("\n a"), "a"), (KeyError(), "KeyError")]
)
def test_first_line(error: Exception, expected: str) -> None:
    assert first_line(error) == expected


def test_long_texts_are_shortened_in_the_middle() -> None:
    assert quote("it's") == '"it\'s"'
    shortened = quote("a" * 10_000 + "b" * 10_000)
    assert 490 < len(shortened) <= 500
    assert "aaa...bbb" in shortened


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host/a.jpg", "https://host/a.jpg"),
        ("rtsp://user:pass@host:554/live", "rtsp://***@host:554/live"),
        ("rtsp://user:p@ss/wo?rd@host/live", "rtsp://***@host/live"),
        ("rtsp://host/user=admin&password=x&channel=1", "rtsp://host/user=***"),
        ("https://host/a.jpg?X-Amz-Signature=1#x", "https://host/a.jpg?***"),
    ],
)
def test_urls_in_messages_have_no_credentials(url: str, expected: str) -> None:
    assert redact_url(url) == expected
