"""Digests: stored values must never change."""

import hashlib
from pathlib import Path

import pytest

from tiepoint.io.hashing import bytes_digest, file_digest, json_digest, short_digest, text_digest


def test_file_digests(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"tiepoint")
    assert file_digest(path) == hashlib.sha256(b"tiepoint").hexdigest() == bytes_digest(b"tiepoint")
    assert file_digest(path, "sha1") == hashlib.sha1(b"tiepoint").hexdigest()
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "missing")


def test_text_digests_of_any_string() -> None:
    assert text_digest("é") == hashlib.sha256("é".encode()).hexdigest()
    assert len(text_digest("\udcff")) == 64
    assert short_digest("a") == "ca978112ca1bbdca"


def test_json_digests_ignore_the_order_of_keys() -> None:
    assert (
        json_digest({"a": 1, "b": [2]})
        == json_digest({"b": [2], "a": 1})
        == short_digest('{"a": 1, "b": [2]}')
    )
    assert json_digest({"a": 1}) != json_digest({"a": 2})
