"""Files of every family open, are described and converted without a change of a bit; what a format cannot hold is refused."""

from pathlib import Path

import pytest
import torch
from tests.helpers.lightglue_files import family_files, other, write_file

from tiepoint.errors import WeightsError
from tiepoint.matching.lightglue_weights import convert_lightglue, open_lightglue

CASES = family_files()


@pytest.mark.parametrize("case", CASES)
def test_files_of_every_family_open(tmp_path: Path, case: str):
    family, shape, content = CASES[case]
    file = open_lightglue(write_file(tmp_path, content))
    assert (file.weights.family.name, file.weights.shape) == (family, shape)
    description = file.describe()
    assert description["family"] == family
    assert description["layers"] == shape.layers
    assert description["dtype"] == ("float16" if case == "float16" else "float32")


def test_the_prefix_contains_the_group_of_the_file(tmp_path: Path):
    file = open_lightglue(write_file(tmp_path, CASES["glue-factory"][2]))
    assert file.describe()["prefix"] == "model.matcher."
    assert file.describe()["ignored"] == {"extractor.": 5}


@pytest.mark.parametrize("case", CASES)
def test_our_own_format_holds_every_family_bit_by_bit(tmp_path: Path, case: str):
    _, shape, content = CASES[case]
    source = write_file(tmp_path, content)
    original = convert_lightglue(source, tmp_path / "own.safetensors", "safetensors")
    back = open_lightglue(tmp_path / "own.safetensors")
    assert (back.weights.family, back.weights.shape) == (original.weights.family, shape)
    assert back.weights.tensors.keys() == original.weights.tensors.keys()
    for name, tensor in back.weights.tensors.items():
        assert torch.equal(tensor, original.weights.tensors[name])
        assert tensor.dtype == original.weights.tensors[name].dtype


@pytest.mark.parametrize(("target", "name"), [("official", "a.pth"), ("huggingface", "a.safetensors")])
@pytest.mark.parametrize("case", CASES)
def test_other_formats_hold_it_bit_by_bit_or_refuse(tmp_path: Path, case: str, target: str, name: str):
    family, _, content = CASES[case]
    source, output = write_file(tmp_path, content), tmp_path / name
    if family in ("gim", "loma"):
        with pytest.raises(WeightsError, match=f"{family} to {target}.*convert to safetensors"):
            convert_lightglue(source, output, target)
        assert not output.exists()
        return
    original = convert_lightglue(source, output, target)
    converted = open_lightglue(output).weights
    assert converted.format == target
    assert converted.shape == original.weights.shape
    for tensor_name, tensor in converted.tensors.items():
        assert torch.equal(tensor, original.weights.tensors[tensor_name])


def test_errors_name_the_file(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"weights\.pth: these are not LightGlue weights"):
        open_lightglue(write_file(tmp_path, other("fc.weight")))
