"""How many pairs are computed together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.assignment import BLOCK_ELEMENTS
from tiepoint.models.lightglue.network import LightGlueShape

BatchSize = int | Literal["auto"]
"""Pairs computed together, or "auto": as many as pay on the device and fit into the memory budget."""

CPU_TOKENS = 1 << 12
"""Keypoints computed together on a CPU: more leave its cache, and take longer each (docs/log.md)."""

GPU_TOKENS = 1 << 17
"""Keypoints computed together on a GPU at most; it is busy long before."""

GPU_SHARE = 0.5
"""Share of a GPU's free memory that a pack may take without being told a budget."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """When a pack is full. A pack holds at least one pair.

    Attributes:
        pairs: at most this many; None: any number.
        tokens: keypoints of all its images together, at most; None: any number.
        memory_budget: bytes that computing it may take, at most; None: any number.
        bytes_per_token: see `bytes_per_token`.
    """

    pairs: int | None = None
    tokens: int | None = None
    memory_budget: int | None = None
    bytes_per_token: int = 0

    def hold(self, pairs: int, tokens: int) -> bool:
        """Whether so much may be computed together."""
        return (
            (self.pairs is None or pairs <= self.pairs)
            and (self.tokens is None or tokens <= self.tokens)
            and (self.memory_budget is None or self.bytes_for(tokens) <= self.memory_budget)
        )

    def bytes_for(self, tokens: int) -> int:
        """What computing so many keypoints takes."""
        return tokens * self.bytes_per_token + ASSIGNMENT_BYTES


ASSIGNMENT_BYTES = 4 * 4 * BLOCK_ELEMENTS
"""`streamed_matches` holds about four blocks of float32."""


def choose_limits(
    batch_size: BatchSize, memory_budget: int | None, shape: LightGlueShape, device: torch.device
) -> PackLimits:
    """Turn what the user asked for into limits.

    Args:
        batch_size: see `BatchSize`.
        memory_budget: bytes beside the weights; None: enough of everything on a CPU, half of what is free on a GPU.
        shape: of the network.
        device: where it runs.

    Raises:
        InvalidInput: a number that isn't whole, or isn't above 0.
    """
    _check_whole("batch_size", batch_size, "'auto'", batch_size == "auto")
    _check_whole("memory_budget", memory_budget, "None", memory_budget is None)
    each = bytes_per_token(shape)
    if batch_size != "auto":
        return PackLimits(int(batch_size), None, memory_budget, each)
    if device.type != "cuda":
        return PackLimits(None, CPU_TOKENS, memory_budget, each)
    fitting = int(GPU_SHARE * torch.cuda.mem_get_info(device)[0]) // each
    return PackLimits(None, min(GPU_TOKENS, fitting), memory_budget, each)


def bytes_per_token(shape: LightGlueShape) -> int:
    """What one keypoint takes at the widest place, the feed-forward network, in float32: the token, token and message
    side by side, and three times the hidden layer; with descriptor and angles.
    """
    return 4 * (9 * shape.dim + shape.input_dim + shape.head_dim)


def packs(sizes: Sequence[int], limits: PackLimits) -> Iterator[slice]:
    """Cut the work into packs, in order.

    Args:
        sizes: keypoints of both images of each pair.
        limits: see `PackLimits`.

    Returns:
        Slices of the pairs.

    Raises:
        InvalidInput: the memory budget is too small for one of the pairs; before any is computed.
    """
    _check_budget(sizes, limits)
    start = tokens = 0
    for pair, size in enumerate(sizes):
        if pair > start and not limits.hold(pair + 1 - start, tokens + size):
            yield slice(start, pair)
            start, tokens = pair, 0
        tokens += size
    if sizes:
        yield slice(start, len(sizes))


def _check_budget(sizes: Sequence[int], limits: PackLimits) -> None:
    largest = max(range(len(sizes)), key=sizes.__getitem__, default=None)
    if largest is None or limits.memory_budget is None:
        return
    needed = limits.bytes_for(sizes[largest])
    if needed > limits.memory_budget:
        raise InvalidInput(
            f"pair {largest} has {sizes[largest]} keypoints and takes about {needed >> 20} MiB, but memory_budget is "
            f"{limits.memory_budget >> 20} MiB; raise it, or use fewer keypoints"
        )


def _check_whole(name: str, value: object, otherwise: str, fine: bool) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if not (fine or whole):
        raise InvalidInput(f"{name} must be a whole number above 0, or {otherwise}, but is {value!r}")
