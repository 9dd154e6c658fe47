"""Batches of pairs: how many are matched together, limited by token and memory budgets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from tiepoint.errors import InvalidInput
from tiepoint.io.validation import check_integer
from tiepoint.models.lightglue.assignment import BLOCK_ELEMENTS
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.types.options import BatchSize

CPU_TOKENS = (
    1 << 12
)  # token budget on a CPU: larger batches exceed its cache and take longer per pair (docs/log.md)
GPU_TOKENS = 1 << 17  # token budget on a GPU, which is fully used with far fewer
GPU_MEMORY_FRACTION = 0.5  # fraction of the free GPU memory that a batch may use without an explicit budget
ASSIGNMENT_BYTES = 4 * 4 * BLOCK_ELEMENTS  # `streamed_matches` holds about four blocks of float32


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Maximum size of a batch; every batch holds at least one pair.

    Attributes:
        max_pairs: Maximum number of pairs; None for no limit.
        max_tokens: Maximum number of keypoints of all images together; None for no limit.
        memory_budget: Maximum memory in bytes; None for no limit.
        bytes_per_token: Memory per keypoint in bytes (`bytes_per_token`).
    """

    max_pairs: int | None = None
    max_tokens: int | None = None
    memory_budget: int | None = None
    bytes_per_token: int = 0

    def allow(self, pairs: int, tokens: int) -> bool:
        """Return whether a batch may hold this many pairs and keypoints."""
        return (
            (self.max_pairs is None or pairs <= self.max_pairs)
            and (self.max_tokens is None or tokens <= self.max_tokens)
            and (self.memory_budget is None or self.required_bytes(tokens) <= self.memory_budget)
        )

    def required_bytes(self, tokens: int) -> int:
        """Estimate the memory for a batch with this many keypoints."""
        return tokens * self.bytes_per_token + ASSIGNMENT_BYTES


def choose_limits(
    batch_size: BatchSize, memory_budget: int | None, shape: LightGlueShape, device: torch.device
) -> BatchLimits:
    """Choose the limits of batches from the user's options and the device.

    Args:
        batch_size: Number of pairs per batch; "auto" uses the token budget of the device.
        memory_budget: Maximum memory in bytes, without the weights; None means no limit on a CPU and half of the free
            memory on a GPU.
        shape: Sizes of the network.
        device: Device of the network.

    Raises:
        InvalidInput: If an option is not a positive integer.
    """
    per_token = bytes_per_token(shape)
    if memory_budget is not None:
        memory_budget = check_integer("memory_budget", memory_budget, 1, alternative="None")
    if batch_size != "auto":
        max_pairs = check_integer("batch_size", batch_size, 1, alternative="'auto'")
        return BatchLimits(max_pairs, None, memory_budget, per_token)
    if device.type != "cuda":
        return BatchLimits(None, CPU_TOKENS, memory_budget, per_token)
    free_bytes = torch.cuda.mem_get_info(device)[0]
    max_tokens = min(GPU_TOKENS, int(GPU_MEMORY_FRACTION * free_bytes) // per_token)
    return BatchLimits(None, max_tokens, memory_budget, per_token)


def bytes_per_token(shape: LightGlueShape) -> int:
    """Estimate the peak memory per keypoint in bytes, which the feed-forward network determines, in float32.

    It holds the token, token and message concatenated, and three times the hidden layer, in addition to the descriptor
    and the rotation.
    """
    return 4 * (9 * shape.dim + shape.input_dim + shape.head_dim)


def split_batches(sizes: Sequence[int], limits: BatchLimits) -> Iterator[slice]:
    """Split pairs into consecutive batches.

    Args:
        sizes: Number of keypoints of each pair, both images together.
        limits: Maximum size of a batch.

    Yields:
        Slices of the pairs.

    Raises:
        InvalidInput: If a single pair exceeds the memory budget; before any batch is computed.
    """
    _check_memory_budget(sizes, limits)
    start = tokens = 0
    for pair, size in enumerate(sizes):
        if pair > start and not limits.allow(pair + 1 - start, tokens + size):
            yield slice(start, pair)
            start, tokens = pair, 0
        tokens += size
    if sizes:
        yield slice(start, len(sizes))


def _check_memory_budget(sizes: Sequence[int], limits: BatchLimits) -> None:
    if not sizes or limits.memory_budget is None:
        return
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    required = limits.required_bytes(sizes[largest])
    if required > limits.memory_budget:
        raise InvalidInput(
            f"memory_budget of {limits.memory_budget >> 20} MiB is too small: pair {largest} with {sizes[largest]} "
            f"keypoints needs about {required >> 20} MiB; raise it, or use fewer keypoints"
        )
