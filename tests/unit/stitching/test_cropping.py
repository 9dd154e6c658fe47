"""The largest rectangle of opaque pixels."""

import numpy as np
import pytest

from tiepoint.stitching.cropping import largest_rectangle


def brute_force(alpha: np.ndarray) -> int:
    rows, columns = alpha.shape
    return max(
        (bottom - top) * (right - left)
        for top in range(rows)
        for bottom in range(top, rows + 1)
        for left in range(columns)
        for right in range(left, columns + 1)
        if alpha[top:bottom, left:right].all()
    )


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_largest(seed: int) -> None:
    alpha = (np.random.default_rng(seed).random((7, 9)) < 0.8).astype(np.uint8) * 255
    tile = largest_rectangle(alpha)
    assert alpha[tile.slices].all()
    assert tile.width * tile.height == brute_force(alpha)


def test_large_masks_are_reduced_first() -> None:
    alpha = np.zeros((1700, 2500), dtype=np.uint8)
    alpha[123:1650, 200:2333] = 255
    tile = largest_rectangle(alpha)
    assert alpha[tile.slices].all()
    assert tile.width * tile.height > 0.99 * 1527 * 2133


def test_nothing_opaque() -> None:
    assert largest_rectangle(np.zeros((4, 5), dtype=np.uint8))[2:] == (0, 0)


def test_flat_masks_are_reduced_along_their_length_only() -> None:
    alpha = np.full((25, 30_000), 255, dtype=np.uint8)
    alpha[:3] = 0
    assert largest_rectangle(alpha) == (0, 3, 30_000, 22)
