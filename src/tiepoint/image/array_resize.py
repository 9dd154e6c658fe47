"""Resizing of arrays: bilinear with antialiasing, within 1e-6 of `torch.nn.functional.interpolate`.

Rows and columns are reduced by one triangle filter each, which is as wide as the reduction. A filter is a banded matrix:
blocks of outputs read blocks of inputs, and each block is one matrix product.
"""

from typing import NamedTuple

import numpy as np

PIXELS_PER_CHUNK = 1 << 22  # converted to floating point at once: 48 MB
OUTPUTS_PER_BLOCK = 32  # about half of the entries of a block are not zero


class Block(NamedTuple):
    """A block of a banded matrix.

    Attributes:
        inputs: Rows of the block.
        outputs: Columns of the block.
        weights: Entries, shape (inputs, outputs).
    """

    inputs: slice
    outputs: slice
    weights: np.ndarray


def resize_channels(channels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize to (width, height), values unscaled.

    The width is resized first, in chunks of rows, so that only the narrowed image is stored in floating point.

    Args:
        channels: Values, shape (c, h, w).
        size: New size (width, height) in px.

    Returns:
        Values, float32, in new memory.
    """
    (count, height, width), (new_width, new_height) = channels.shape, size
    if (width, height) == size:
        return channels.astype(np.float32)
    narrowed = np.empty((count, height, new_width), np.float32)
    columns, rows = filter_blocks(width, new_width), max(1, PIXELS_PER_CHUNK // width)
    for start in range(0, height, rows):
        chunk = channels[:, start : start + rows].astype(np.float32)
        for inputs, outputs, weights in columns:
            narrowed[:, start : start + rows, outputs] = chunk[:, :, inputs] @ weights
    resized = np.empty((count, new_height, new_width), np.float32)
    for inputs, outputs, weights in filter_blocks(height, new_height):
        resized[:, outputs] = weights.T @ narrowed[:, inputs]
    return resized


def filter_blocks(length: int, new_length: int) -> list[Block]:
    """Return the triangle filter that resizes a dimension, as the blocks of a matrix.

    Args:
        length: Number of inputs.
        new_length: Number of outputs.
    """
    starts, ends, weights = _filters(length, new_length)
    blocks: list[Block] = []
    for first in range(0, new_length, OUTPUTS_PER_BLOCK):
        outputs = slice(first, min(first + OUTPUTS_PER_BLOCK, new_length))
        inputs = slice(int(starts[outputs].min()), int(ends[outputs].max()))
        dense = np.zeros((inputs.stop - inputs.start, outputs.stop - first), np.float32)
        for column, output in enumerate(range(first, outputs.stop)):
            start, end = int(starts[output]), int(ends[output])
            dense[start - inputs.start : end - inputs.start, column] = weights[output, : end - start]
        blocks.append(Block(inputs, outputs, dense))
    return blocks


def _filters(length: int, new_length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the range of inputs of each output, and their weights; rounded to float32 wherever torch rounds."""
    scale = np.float32(length) / np.float32(new_length)
    support = max(scale, np.float32(1))
    centers = (np.float64(scale) * (np.arange(new_length) + 0.5)).astype(np.float32)
    starts = np.maximum((centers - support).astype(np.float64) + 0.5, 0).astype(np.int64)
    ends = np.minimum((centers + support).astype(np.float64) + 0.5, length).astype(np.int64)
    offsets = np.arange(int((ends - starts).max()))
    distances = ((offsets + starts[:, None]).astype(np.float32) - centers[:, None]).astype(np.float64) + 0.5
    weights = np.maximum(1 - np.abs((distances * np.float64(1 / support)).astype(np.float32)), np.float32(0))
    weights[offsets >= (ends - starts)[:, None]] = 0
    return starts, ends, weights / weights.sum(axis=1, keepdims=True, dtype=np.float32)
