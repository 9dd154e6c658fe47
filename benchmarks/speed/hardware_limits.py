"""Lower bound of the time of a matcher: its matrix products and exponentials at the best rates of the machine.

The minimum work of LightGlue without adaptive inference, in exact arithmetic: each linear layer once; per self-attention
block the similarities of each image and their product with the values; per cross-attention block the similarity *once*,
as both directions share it, and two products with values; one exponential per similarity; the similarity of the
assignment once.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tiepoint.bench import gemm_gflops, measure
from tiepoint.models.lightglue.network import LightGlueShape

EXP_ARRAY_SIZES = (1 << 15, 1 << 17, 1 << 19, 1 << 21)
"""Array sizes for which the exponential is timed; the best rate counts."""

COPY_BYTES = 1 << 28
"""Size of copied arrays, far above the size of any cache."""

EXP_PER_RUN = 1 << 22
"""Exponentials per measurement: about a millisecond."""


@dataclass(frozen=True)
class MinimumWork:
    """Minimum work of matching a pair; field names are those of the record."""

    gemm_flop: int
    exponentials: int

    def seconds(self, rates: "Rates") -> float:
        """Return the time of matrix products and exponentials, one after the other, at these rates."""
        return self.gemm_flop / (rates.gemm_gflops * 1e9) + self.exponentials / rates.exponentials_per_second


@dataclass(frozen=True)
class Rates:
    """Best rates of the machine at the moment; field names are those of the record."""

    gemm_gflops: float
    exponentials_per_second: float
    copied_gb_per_second: float


def measure_rates() -> Rates:
    """Measure the rates, which takes about two seconds."""
    return Rates(gemm_gflops(), exponentials_per_second(), copied_gb_per_second())


def minimum_work(m: int, n: int, shape: LightGlueShape) -> MinimumWork:
    """Return the minimum work for m and n keypoints, all layers."""
    d, tokens = shape.dim, m + n
    pairs_within, pairs_across = m * m + n * n, m * n
    feed_forward = (2 * d) * (2 * d) + (2 * d) * d
    linear = tokens * ((d * 3 * d + d * d + feed_forward) + (3 * d * d + feed_forward))
    attention = 2 * pairs_within * d + 3 * pairs_across * d
    embedding = tokens * (shape.input_dim * d if shape.input_dim != d else 0)
    assignment = tokens * d * d + pairs_across * d
    return MinimumWork(
        gemm_flop=2 * (embedding + shape.layers * (linear + attention) + assignment),
        exponentials=shape.layers * shape.heads * (pairs_within + pairs_across) + pairs_across,
    )


def exponentials_per_second() -> float:
    """Return the best rate of torch.exp over arrays that fit into the caches."""
    rates = []
    for size in EXP_ARRAY_SIZES:
        x = torch.rand(size).neg()
        out = torch.empty_like(x)
        repeats = EXP_PER_RUN // size

        def work(x: Tensor = x, out: Tensor = out, repeats: int = repeats) -> None:
            for _ in range(repeats):
                torch.exp(x, out=out)

        rates.append(repeats * size / min(measure(work, 10).runs))
    return max(rates)


def copied_gb_per_second() -> float:
    """Return the bytes read and written by a copy between arrays beyond any cache, in 1e9 per second."""
    source, target = (torch.zeros(COPY_BYTES, dtype=torch.uint8) for _ in range(2))
    return 2 * COPY_BYTES / min(measure(lambda: target.copy_(source), 5).runs) / 1e9


class BytesMoved(TorchDispatchMode):
    """Count the bytes that torch operations read and write inside the context.

    Memory traffic within an operation, such as a block of attention, is not counted; reads from a cache are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count its inputs and outputs."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not _is_view(func):
            inputs = (args, {name: value for name, value in kwargs.items() if name != "out"})
            self.bytes += _count_bytes(inputs) + _count_bytes(result)
        return result


def _is_view(func: Any) -> bool:
    """Return whether all outputs are views of inputs."""
    aliases = [returned.alias_info for returned in func._schema.returns]
    return bool(aliases) and all(alias is not None and not alias.is_write for alias in aliases)


def _count_bytes(tree: Any) -> int:
    """Return the bytes of all distinct tensors; values repeated by a stride of 0 count once."""
    tensors = {id(leaf): leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}
    return sum(_count_distinct(tensor) * tensor.element_size() for tensor in tensors.values())


def _count_distinct(tensor: Tensor) -> int:
    count = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= length if stride else min(length, 1)
    return count
