"""Checks of single values."""

from typing import Any

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.batching import batched
from tiepoint.io.validation import check_integer, is_integer


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_python_and_numpy(value: Any) -> None:
    assert is_integer(value, 3)
    assert not is_integer(value, 4)
    assert type(check_integer("count", value, 1)) is int


@pytest.mark.parametrize("value", [True, 3.0, "3", None, 0])
def test_other_values_are_rejected(value: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"count must be .*1, or None, got {value!r}"):
        check_integer("count", value, 1, alternative="None")


def test_batches_are_consecutive() -> None:
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([], 2)) == []
