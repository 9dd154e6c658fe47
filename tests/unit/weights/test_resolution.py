"""The table, and finding weights without a network."""

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.weights import WEIGHTS, Weights, WheelFile, resolve, weights_digest, weights_folder

CONTENT = b"tensors" * 1000


def put_in_cache(row: Weights, content: bytes) -> Path:
    path = weights_folder() / row.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_cached_file_is_found(row: Weights, home: Path):
    path = put_in_cache(row, CONTENT)
    assert resolve("tiny") == path == home / "weights" / "tiny.pth"


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
    (folder / "mine.safetensors").write_bytes(CONTENT)
    assert resolve(str(folder)) == folder / "mine.safetensors"
    (folder / "other.pth").write_bytes(CONTENT)
    with pytest.raises(InvalidInput, match=r"mine\.safetensors, other\.pth"):
        resolve(folder)


def test_non_commercial_weights_ask_for_consent(row: Weights, monkeypatch: pytest.MonkeyPatch):
    path = put_in_cache(row, CONTENT)
    monkeypatch.setitem(WEIGHTS, "tiny", replace(row, commercial=False, license="research only"))
    with pytest.raises(WeightsError, match=r"research only.*accept_license=True"):
        resolve("tiny")
    assert resolve("tiny", accept_license=True) == path


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


@pytest.mark.slow
def test_torch_is_imported_only_for_tensors():
    script = (
        "import sys; import tiepoint.cli.weights, tiepoint.weights as w; "
        "assert not {'torch', 'rich.progress', 'huggingface_hub', 'filelock'} & set(sys.modules), 'too early'; "
        "w.load_state_dict; assert 'torch' in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


def test_folder_of_a_training_has_its_model(tmp_path: Path):
    """cvg/glue-factory#131, cvg/LightGlue#143: trained weights that are not those that are matched with."""
    for name in ("checkpoint.pt", "model.safetensors", "dump.pt"):
        (tmp_path / name).touch()
    assert resolve(tmp_path) == tmp_path / "model.safetensors"
    assert resolve(str(tmp_path)) == tmp_path / "model.safetensors"


def test_digest_of_a_name_needs_no_file_and_that_of_a_file_is_computed(row: Weights, tmp_path: Path):
    assert weights_digest(row.name) == row.sha256
    (tmp_path / "own.pth").write_bytes(b"own")
    assert weights_digest(tmp_path / "own.pth") == sha256(b"own").hexdigest()
