"""What a matcher can't beat: the time of its matrix products and exponentials at the machine's best rates.

The least work of LightGlue without adaptivity, in exact arithmetic: every linear layer once; in a self block the
similarities of each image and their product with the values; in a cross block the similarity *once*, as both
directions share it, and two products with values; one exponential a similarity; the assignment's similarity once.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tiepoint.bench import gemm_gflops, measure
from tiepoint.models.lightglue.network import LightGlueShape

EXP_SIZES = (1 << 15, 1 << 17, 1 << 19, 1 << 21)
"""Numbers in an array that the exponential is timed on; the best rate counts."""
COPY_BYTES = 1 << 28
"""Far more than any cache."""
EXP_ROUNDS = 1 << 22
"""Exponentials in one measurement: about a millisecond."""


@dataclass(frozen=True)
class LeastWork:
    """What matching a pair needs at least."""

    gemm_flop: int
    exponentials: int

    def seconds(self, rates: "Rates") -> float:
        """Matrix products and exponentials one after the other, at their best rates."""
        return self.gemm_flop / (rates.gemm_gflops * 1e9) + self.exponentials / rates.exponentials_per_second


@dataclass(frozen=True)
class Rates:
    """Best rates of this machine, in this minute."""

    gemm_gflops: float
    exponentials_per_second: float
    copied_gb_per_second: float


def measure_rates() -> Rates:
    """Takes about two seconds."""
    return Rates(gemm_gflops(), exponentials_per_second(), copied_gb_per_second())


def least_work(m: int, n: int, shape: LightGlueShape) -> LeastWork:
    """For m and n keypoints, all layers."""
    d, tokens = shape.dim, m + n
    pairs_within, pairs_across = m * m + n * n, m * n
    feed_forward = (2 * d) * (2 * d) + (2 * d) * d
    linear = tokens * ((d * 3 * d + d * d + feed_forward) + (3 * d * d + feed_forward))
    attention = 2 * pairs_within * d + 3 * pairs_across * d
    embedding = tokens * (shape.input_dim * d if shape.input_dim != d else 0)
    assignment = tokens * d * d + pairs_across * d
    return LeastWork(
        gemm_flop=2 * (embedding + shape.layers * (linear + attention) + assignment),
        exponentials=shape.layers * shape.heads * (pairs_within + pairs_across) + pairs_across,
    )


def exponentials_per_second() -> float:
    """Best rate of torch.exp over arrays that stay in the caches."""
    rates = []
    for size in EXP_SIZES:
        x = torch.rand(size).neg()
        out = torch.empty_like(x)
        rounds = EXP_ROUNDS // size

        def work(x: Tensor = x, out: Tensor = out, rounds: int = rounds) -> None:
            for _ in range(rounds):
                torch.exp(x, out=out)

        rates.append(rounds * size / min(measure(work, 10).runs))
    return max(rates)


def copied_gb_per_second() -> float:
    """Bytes read and written by a copy between arrays that no cache holds, in 1e9 a second."""
    source, target = (torch.zeros(COPY_BYTES, dtype=torch.uint8) for _ in range(2))
    return 2 * COPY_BYTES / min(measure(lambda: target.copy_(source), 5).runs) / 1e9


class BytesMoved(TorchDispatchMode):
    """Counts the bytes that torch's operations read and write while this is on.

    What an operation keeps to itself, such as a block of attention, isn't seen; what comes from a cache is counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let the operation run, and count what goes in and comes out."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not _is_view(func):
            self.bytes += _bytes((args, {k: v for k, v in kwargs.items() if k != "out"})) + _bytes(result)
        return result


def _is_view(func: Any) -> bool:
    """Whether all that comes out is another look at what went in."""
    aliases = [returned.alias_info for returned in func._schema.returns]
    return bool(aliases) and all(alias is not None and not alias.is_write for alias in aliases)


def _bytes(tree: Any) -> int:
    """Of all distinct tensors; numbers that are repeated by a stride of 0 are moved once."""
    tensors = {id(leaf): leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}
    return sum(_distinct_numbers(tensor) * tensor.element_size() for tensor in tensors.values())


def _distinct_numbers(tensor: Tensor) -> int:
    count = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= length if stride else min(length, 1)
    return count
