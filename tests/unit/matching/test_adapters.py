"""Adapters: written and read back with their base; files that do not fit are refused by name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.io.hashing import file_digest
from tiepoint.matching.adapters import (
    BASE,
    BASE_SHA256,
    FORMAT,
    Base,
    compact,
    find_base,
    is_adapter,
    merge,
    save_adapter,
)
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.initialization import random_network
from tiepoint.weights.checkpoints import read_metadata

SHAPE = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2)
NAME = "transformers.0.self_attn.Wqkv.weight"


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float32, device="cpu")


def ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float32, device="cpu")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.safetensors"
    save_file(random_network(SHAPE, seed=0).state_dict(), path)
    return path


@pytest.fixture
def changes() -> dict[str, Tensor]:
    return {
        f"{NAME}.up": ones(96, 2),
        f"{NAME}.down": 0.5 * ones(2, 32),
        "transformers.0.self_attn.Wqkv.bias.delta": ones(96),
        "transformers.1.self_attn.Wqkv.weight.delta": torch.full(
            (96, 32), -3, dtype=torch.int8, device="cpu"
        ),
        "transformers.1.self_attn.Wqkv.weight.scale": 0.25 * ones(96, 1),
    }


def write(path: Path, changes: dict[str, Tensor], base: Path) -> Path:
    save_adapter(path, compact(changes), Base(name=str(base), sha256=file_digest(base)))
    return path


def test_an_adapter_is_merged_with_its_base(tmp_path: Path, base: Path, changes: dict[str, Tensor]) -> None:
    path = write(tmp_path / "adapter.safetensors", changes, base)
    assert is_adapter(read_metadata(path))
    assert not is_adapter(read_metadata(base))
    start, merged = (open_lightglue(file).weights.tensors for file in (base, path))
    assert merged.keys() == start.keys()
    expected = {
        NAME: 1.0,
        "transformers.0.self_attn.Wqkv.bias": 1.0,
        "transformers.1.self_attn.Wqkv.weight": -0.75,
    }
    for name, tensor in merged.items():
        assert torch.equal(tensor, start[name] + expected.get(name, 0.0))
    network = open_lightglue(path).weights.network()
    assert network.shape == SHAPE


def test_an_adapter_can_be_the_base_of_another(tmp_path: Path, base: Path) -> None:
    first = write(tmp_path / "first.safetensors", {f"{NAME}.delta": ones(96, 32)}, base)
    second = write(tmp_path / "second.safetensors", {f"{NAME}.delta": ones(96, 32)}, first)
    start, merged = (open_lightglue(file).weights.tensors[NAME] for file in (base, second))
    assert torch.equal(merged, start + 1 + 1)


def test_a_moved_base_is_found_beside_the_adapter(
    tmp_path: Path, base: Path, changes: dict[str, Tensor]
) -> None:
    path = write(tmp_path / "adapter.safetensors", changes, base)
    (tmp_path / "moved").mkdir()
    moved = base.rename(tmp_path / "moved" / base.name)
    with pytest.raises(WeightsError, match=r"base\.safetensors with SHA-256 .*beside it"):
        open_lightglue(path)
    path = path.rename(tmp_path / "moved" / path.name)
    assert find_base(path, read_metadata(path), accept_license=False, progress=False) == moved


def test_a_changed_base_is_refused(tmp_path: Path, base: Path, changes: dict[str, Tensor]) -> None:
    path = write(tmp_path / "adapter.safetensors", changes, base)
    save_file(random_network(SHAPE, seed=1).state_dict(), base)
    with pytest.raises(WeightsError, match=r"not on this\s+machine"):
        open_lightglue(path)


def test_a_newer_format_is_refused(tmp_path: Path, base: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    metadata = {FORMAT: "2", BASE: str(base), BASE_SHA256: file_digest(base)}
    save_file({f"{NAME}.delta": ones(96, 32)}, path, metadata)
    with pytest.raises(WeightsError, match=r"format '2'.*update tiepoint"):
        open_lightglue(path)


def test_floating_point_tensors_are_stored_in_half_precision(changes: dict[str, Tensor]) -> None:
    stored = compact(changes)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16, torch.int8}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"other.weight.delta": ones(1)}, "unexpected other.weight"),
        ({f"{NAME}.sideways": ones(1)}, "is no adapter"),
        ({f"{NAME}.up": ones(96, 2)}, "cannot be changed by up"),
        ({f"{NAME}.up": ones(96, 2), f"{NAME}.down": ones(3, 32)}, "cannot be changed by"),
        ({f"{NAME}.up": ones(96, 2), f"{NAME}.down": ones(2, 31)}, "cannot be changed by"),
        ({f"{NAME}.delta": ones(32, 96)}, "cannot be changed by delta"),
        ({f"{NAME}.delta": float("nan") * ones(96, 32)}, "expected finite"),
        ({f"{NAME}.delta": ones(96, 32).to(torch.int8)}, "with scale"),
        ({f"{NAME}.delta": ones(96, 32).to(torch.int8), f"{NAME}.scale": ones(96)}, "with scale"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        merge({NAME: zeros(96, 32)}, changes, "adapter.safetensors")
