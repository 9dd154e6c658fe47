"""From files to named tensors: good, damaged, nested and hostile ones."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.weights import load_state_dict


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"a.weight": torch.randn(3, 4, generator=generator), "a.steps": torch.tensor(7)}


class Hostile:
    """Unpickling this makes a folder: whoever finds it has run foreign code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, tensors: dict[str, torch.Tensor], zipped: bool):
    path = tmp_path / "weights.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    assert same(load_state_dict(path), tensors)


def test_safetensors(tmp_path: Path, tensors: dict[str, torch.Tensor]):
    save_file(tensors, tmp_path / "weights.safetensors")
    assert same(load_state_dict(tmp_path / "weights.safetensors"), tensors)


def test_nested_tensors_are_taken_by_key_only(tmp_path: Path, tensors: dict[str, torch.Tensor]):
    path = tmp_path / "weights.pth"
    torch.save({"extractor": tensors, "epoch": 3}, path)
    assert same(load_state_dict(path, key="extractor"), tensors)
    with pytest.raises(WeightsError, match=r"'extractor', 'epoch'.*key="):
        load_state_dict(path)
    with pytest.raises(WeightsError, match="under 'model'"):
        load_state_dict(path, key="model")


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, torch.zeros(3), {1: torch.zeros(3)}])
def test_other_content_is_refused(tmp_path: Path, content: object):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="expected named tensors"):
        load_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_pickle_does_not_run(tmp_path: Path, zipped: bool):
    path, trap = tmp_path / "weights.pth", tmp_path / "trap"
    torch.save({"a": Hostile(trap)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="running code") as raised:
        load_state_dict(path)
    assert "\n" not in str(raised.value)
    assert not trap.exists()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_hostile_bare_pickle_does_not_run(tmp_path: Path, protocol: int):
    path, trap = tmp_path / "weights.pth", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Hostile(trap), protocol=protocol))
    with pytest.raises(WeightsError, match="running code"):
        load_state_dict(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists(), "the trap itself must work, or this test shows nothing"


def test_whole_modules_are_refused(tmp_path: Path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="running code"):
        load_state_dict(tmp_path / "weights.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", bytes(200), b"PK\x03\x04" + bytes(50)])
def test_files_that_are_no_weights(tmp_path: Path, suffix: str, content: bytes):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="download or copy it again") as raised:
        load_state_dict(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_cut_off_files(tmp_path: Path, tensors: dict[str, torch.Tensor], kept: float, zipped: bool):
    path = tmp_path / "weights.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WeightsError, match="truncated or damaged" if zipped else None):
        load_state_dict(path)


def test_missing_file():
    with pytest.raises(InvalidInput, match="unknown weights"):
        load_state_dict("no_such_file.pth")
