"""Tensors are found wherever training programs put them; other content is refused, and code never runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tiepoint.errors import WeightsError
from tiepoint.weights.checkpoints import load_checkpoint

TENSORS = {"a.weight": torch.ones(2, 3), "b.bias": torch.zeros(3)}


@pytest.mark.parametrize(
    ("content", "group"),
    [
        (TENSORS, ""),
        ({"model": TENSORS, "optimizer": {"state": {}}, "epoch": 3}, "model"),
        ({"state_dict": TENSORS, "hyper_parameters": {"lr": 1e-4}}, "state_dict"),
        ({"model": {"state_dict": TENSORS, "step": 1}}, "model.state_dict"),
    ],
)
def test_tensors_are_found(tmp_path: Path, content: object, group: str):
    torch.save(content, tmp_path / "weights.pth")
    found = load_checkpoint(tmp_path / "weights.pth")
    assert found.group == group
    assert found.tensors.keys() == TENSORS.keys()
    assert found.metadata == {}


def test_metadata_of_safetensors(tmp_path: Path):
    save_file(TENSORS, tmp_path / "weights.safetensors", {"format": "pt", "note": "mine"})
    assert load_checkpoint(tmp_path / "weights.safetensors").metadata == {"format": "pt", "note": "mine"}


@pytest.mark.parametrize("value", [np.float64(0.5), np.float32(0.5), np.int64(3)])
def test_results_as_numbers_of_numpy_are_no_code(tmp_path: Path, value: object):
    """glue-factory saves its evaluation next to the model."""
    torch.save({"model": TENSORS, "eval": {"recall": value}}, tmp_path / "weights.tar")
    assert load_checkpoint(tmp_path / "weights.tar").tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("content", [{"epoch": 3}, {"model": {"epoch": 3}}, [1], {"student": TENSORS}])
def test_other_content_is_refused(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="expected named tensors") as error:
        load_checkpoint(tmp_path / "weights.pth")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\n<!DOCTYPE html><html>sign in</html>", "web page"),
        (b"<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
    ],
)
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_what_servers_send_instead_is_named(tmp_path: Path, content: bytes, what: str, name: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=what):
        load_checkpoint(tmp_path / name)
