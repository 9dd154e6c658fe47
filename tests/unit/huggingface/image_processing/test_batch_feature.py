"""BatchFeature: mapping and attributes, moving, conversion, copies."""

import copy
import pickle
from collections import UserDict

import numpy as np
import pytest
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import BatchFeature


def features() -> BatchFeature:
    return BatchFeature({"pixel_values": torch.rand(2, 3), "image_sizes": torch.tensor([[4, 5]])})


def test_values_are_items_and_attributes():
    batch = features()
    assert isinstance(batch, UserDict)
    assert batch.pixel_values is batch["pixel_values"] is batch.data["pixel_values"]
    assert list(batch) == list(batch.keys()) == ["pixel_values", "image_sizes"]
    assert [value is batch.data[name] for name, value in batch.items()] == [True, True]
    assert dict(**batch).keys() == batch.keys()
    assert "pixel_values" in batch
    batch["more"] = 1
    batch.update({"labels": 2})
    assert (batch.more, batch.get("labels"), batch.get("nothing"), len(batch)) == (1, 2, None, 4)
    with pytest.raises(AttributeError, match="'mask'; available: pixel_values, image_sizes, more, labels"):
        _ = batch.mask
    with pytest.raises(KeyError, match="names, no indices, got 0"):
        _ = batch[0]


def test_copies_and_pickles():
    batch = features()
    for same in (copy.copy(batch), copy.deepcopy(batch), pickle.loads(pickle.dumps(batch))):
        assert type(same) is BatchFeature
        assert torch.equal(same.pixel_values, batch.pixel_values)
    assert copy.copy(batch).pixel_values is batch.pixel_values


def test_floating_point_tensors_change_their_dtype_and_all_move():
    batch = features()
    batch["nested"] = [(torch.zeros(2), torch.zeros(2, dtype=torch.int32))]
    batch["text"] = "kept"
    assert batch.to(torch.float16) is batch
    assert (batch.pixel_values.dtype, batch.image_sizes.dtype) == (torch.float16, torch.int64)
    assert [tensor.dtype for tensor in batch.nested[0]] == [torch.float16, torch.int32]
    batch.to("cpu", torch.float64)
    assert batch.pixel_values.dtype == torch.float64
    for given in (batch.to("meta"), features().to(device="meta"), features().to(torch.device("meta"))):
        assert {value.device.type for value in given.values() if isinstance(value, Tensor)} == {"meta"}
    assert batch.nested[0][1].device.type == "meta"
    assert batch.text == "kept"
    with pytest.raises(InvalidInput, match=r"BatchFeature\.to takes a device or a dtype, got Tensor"):
        features().to(torch.zeros(1))


@pytest.mark.parametrize(
    "value",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        ([1.0, 2.0], [3.0, 4.0]),
        np.array([[1, 2], [3, 4]], np.float32),
        [np.array([1, 2], np.float32), np.array([3, 4], np.float32)],
        [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])],
        [[torch.tensor(1.0), torch.tensor(2.0)], [torch.tensor(3.0), torch.tensor(4.0)]],
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    ],
    ids=["lists", "tuple", "array", "arrays", "tensors", "nested tensors", "tensor"],
)
def test_conversion_to_tensors_and_arrays(value):
    tensor = BatchFeature({"a": value}, tensor_type="pt").a
    assert torch.equal(tensor, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    array = BatchFeature({"a": value}).convert_to_tensors("np").a
    assert isinstance(array, np.ndarray)
    assert np.array_equal(array, tensor.numpy())


def test_values_that_are_not_converted():
    batch = BatchFeature({"a": [1, 2], "b": "text", "c": ["x"], "d": [3]}, "pt", skip_tensor_conversion=["d"])
    assert torch.equal(batch.a, torch.tensor([1, 2]))
    assert (batch.b, batch.c, batch.d) == ("text", ["x"], [3])
    assert BatchFeature({"a": [1]}).convert_to_tensors().a == [1]
    assert BatchFeature({"a": [1]}).convert_to_tensors("np", skip_tensor_conversion=["a"]).a == [1]
    assert len(BatchFeature()) == 0


def test_invalid_conversions_are_rejected():
    with pytest.raises(InvalidInput, match="the tensor type must be 'pt', 'np' or None, got 'tf'"):
        BatchFeature({"a": [1]}, "tf")
    for ragged in ([[1, 2], [3]], [torch.zeros(2), torch.zeros(3)], [np.zeros(2), np.zeros(3)]):
        for kind in ("pt", "np"):
            with pytest.raises(InvalidInput, match=r"cannot convert 'a' \(a list\)"):
                BatchFeature({"a": ragged}, kind)
