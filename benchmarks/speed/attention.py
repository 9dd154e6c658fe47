"""Time torch's fused attention kernel against attention from oneDNN's matrix products: what LightGlue could gain.

    python -m benchmarks speed attention

"self": `blockwise_attention` of the package, in blocks of the given number of queries. "cross": both directions from blocks of one
similarity; rows and columns are normalized by their own maxima, as similarities of real images exceed the exponent range
of float32. Four heads of dimension 64, random values. Nothing is recorded; docs/log.md has the results.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.timing import Case, time_case
from tiepoint.bench import Seconds
from tiepoint.models.lightglue import blockwise_attention as module
from tiepoint.models.lightglue.blockwise_attention import blockwise_attention
from tiepoint.models.onednn import linear

HEADS, HEAD_DIM = 4, 64
LOG2_E_SCALE = math.log2(math.e) / math.sqrt(HEAD_DIM)
KEYPOINTS = (512, 1024, 2048)
BLOCK_ROWS = (128, 256, 512, 1024)
RUNS = 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Print the median times in ms."""
    torch.set_grad_enabled(False)
    for count in KEYPOINTS:
        q, k, v, w = torch.randn(4, HEADS, count, HEAD_DIM)
        blocks = [rows for rows in BLOCK_ROWS if rows <= count]
        show(count, "self", partial(fused, q, k, v), {r: partial(blocked, q, k, v, r) for r in blocks})
        both = partial(lambda q, k, v, w: (fused(q, k, v), fused(k, q, w)), q, k, v, w)
        show(count, "cross", both, {r: partial(shared, q, k, v, w, r) for r in blocks})


def show(count: int, name: str, kernel: Callable[[], object], ours: dict[int, Callable[[], object]]) -> None:
    """Print one line: the kernel, then each block size."""
    works = {"fused": kernel} | {f"blocks of {rows} rows": work for rows, work in ours.items()}
    case = Case("attention", name, {label: counted(work) for label, work in works.items()})
    medians = {label: 1e3 * Seconds(tuple(s)).median for label, s in time_case(case, RUNS).seconds.items()}
    line = "   ".join(f"{label} {milliseconds:.2f} ms" for label, milliseconds in medians.items())
    print(f"{count} keypoints, {name}: {line}", flush=True)


def counted(work: Callable[[], object]) -> Callable[[], int]:
    """Return work without a result as work for `Case`."""

    def run() -> int:
        work()
        return 0

    return run


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return attention by torch's kernel, shape (heads, n, e)."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]


def blocked(q: Tensor, k: Tensor, v: Tensor, rows: int) -> Tensor:
    """Return attention computed in blocks of rows, shape (n, heads * e)."""
    with patch.object(module, "MAX_BLOCK", rows):
        return blockwise_attention(q, k, v)


def shared(q0: Tensor, q1: Tensor, v1: Tensor, v0: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Return attention in both directions from one similarity."""
    out0, out1 = torch.empty_like(q0), torch.empty_like(q1)
    for head in range(len(q0)):
        shared_head(q0[head] * LOG2_E_SCALE, q1[head], v1[head], v0[head], rows, out0[head], out1[head])
    return out0, out1


def shared_head(
    q0: Tensor, q1: Tensor, v1: Tensor, v0: Tensor, rows: int, out0: Tensor, out1: Tensor
) -> None:
    """Compute one head: rows are complete within a block, columns are accumulated with a running maximum."""
    values1, values0 = v1.T.contiguous(), v0.T.contiguous()
    column_max = torch.full((len(q1),), -torch.inf)
    column_sum, accumulated = torch.zeros(len(q1)), torch.zeros(HEAD_DIM, len(q1))
    for start in range(0, len(q0), rows):
        block = slice(start, start + rows)
        similarity = linear(q0[block], q1)
        new_max = torch.maximum(column_max, similarity.amax(0))
        rescale, column_max = (column_max - new_max).exp2_(), new_max
        down = (similarity - column_max).exp2_()
        column_sum.mul_(rescale).add_(down.sum(0))
        accumulated.mul_(rescale).add_(linear(values0[:, block], down.T))
        across = similarity.sub_(similarity.amax(1, keepdim=True)).exp2_()
        out0[block] = linear(across, values1) / across.sum(1, keepdim=True)
    out1.copy_((accumulated / column_sum).T)
