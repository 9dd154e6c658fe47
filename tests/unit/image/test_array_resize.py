"""The filter of resized arrays."""

import numpy as np
import pytest

from tiepoint.image.array_resize import filter_blocks, resize_channels


@pytest.mark.parametrize(("length", "new_length"), [(5, 5), (100, 33), (33, 100), (4000, 65), (40, 1)])
def test_filters_cover_all_outputs_and_keep_the_mean(length: int, new_length: int) -> None:
    matrix = np.zeros((length, new_length))
    for inputs, outputs, weights in filter_blocks(length, new_length):
        assert not matrix[:, outputs].any()
        matrix[inputs, outputs] = weights
    np.testing.assert_allclose(matrix.sum(axis=0), 1, atol=1e-6)
    centers = (np.arange(length) + 0.5) @ matrix / length
    inner = slice(new_length // 4, new_length - new_length // 4)
    np.testing.assert_allclose(centers[inner], ((np.arange(new_length) + 0.5) / new_length)[inner], atol=1e-3)


def test_an_unchanged_size_is_a_copy_in_float32() -> None:
    channels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    resized = resize_channels(channels, (4, 3))
    assert resized.dtype == np.float32
    np.testing.assert_array_equal(resized, channels)
