"""Attention by torch's fused kernel beside the same from oneDNN's matrix products: what LightGlue could gain.

    .venv/bin/python benchmarks/attention.py

"self": blocks of rows of the similarity, softmax, product with the values. "cross": both directions from blocks of one
similarity; rows and columns are normalized each by maxima of their own, as similarities of real images span more
than float32's exponent. Four heads of 64 columns, random numbers. Nothing is recorded; docs/log.md tells what came out.
"""

import math
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.lightglue.fused_layers import linear

HEADS, HEAD_DIM = 4, 64
BITS = math.log2(math.e) / math.sqrt(HEAD_DIM)


def main() -> None:
    """Print milliseconds, medians of runs in turn."""
    torch.set_grad_enabled(False)
    for count in (512, 1024, 2048):
        q, k, v, w = torch.randn(4, HEADS, count, HEAD_DIM)
        blocks = [rows for rows in (128, 256, 512, 1024) if rows <= count]
        show(count, "self", partial(fused, q, k, v), {r: partial(blocked, q, k, v, r) for r in blocks})
        both = partial(lambda q, k, v, w: (fused(q, k, v), fused(k, q, w)), q, k, v, w)
        show(count, "cross", both, {r: partial(shared, q, k, v, w, r) for r in blocks})


def show(count: int, name: str, kernel: Callable[[], object], ours: dict[int, Callable[[], object]]) -> None:
    """One line: the kernel, then each size of blocks."""
    works = {"fused": kernel} | {f"blocks of {rows} rows": work for rows, work in ours.items()}
    times: dict[str, list[float]] = {label: [] for label in works}
    for _ in range(12):
        for label, work in works.items():
            start = perf_counter()
            work()
            times[label].append(1e3 * (perf_counter() - start))
    line = "   ".join(f"{label} {median(runs[1:]):.2f} ms" for label, runs in times.items())
    print(f"{count} keypoints, {name}: {line}", flush=True)


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Torch's kernel, (heads, n, e)."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]


def blocked(q: Tensor, k: Tensor, v: Tensor, rows: int) -> Tensor:
    """The same, block by block."""
    out = torch.empty_like(q)
    values = v.transpose(1, 2).contiguous()
    for head in range(len(q)):
        for start in range(0, q.shape[1], rows):
            block = slice(start, start + rows)
            weights = linear(q[head, block] / math.sqrt(HEAD_DIM), k[head]).softmax(1)
            out[head, block] = linear(weights, values[head])
    return out


def shared(q0: Tensor, q1: Tensor, v1: Tensor, v0: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Both directions from one similarity."""
    out0, out1 = torch.empty_like(q0), torch.empty_like(q1)
    for head in range(len(q0)):
        shared_head(q0[head] * BITS, q1[head], v1[head], v0[head], rows, out0[head], out1[head])
    return out0, out1


def shared_head(
    q0: Tensor, q1: Tensor, v1: Tensor, v0: Tensor, rows: int, out0: Tensor, out1: Tensor
) -> None:
    """Rows are complete in a block; columns are gathered over blocks, with a maximum that rises."""
    values1, values0 = v1.T.contiguous(), v0.T.contiguous()
    largest = torch.full((len(q1),), -torch.inf)
    total, gathered = torch.zeros(len(q1)), torch.zeros(HEAD_DIM, len(q1))
    for start in range(0, len(q0), rows):
        block = slice(start, start + rows)
        similarity = linear(q0[block], q1)
        new = torch.maximum(largest, similarity.amax(0))
        shrink, largest = (largest - new).exp2_(), new
        down = (similarity - largest).exp2_()
        total.mul_(shrink).add_(down.sum(0))
        gathered.mul_(shrink).add_(linear(values0[:, block], down.T))
        across = similarity.sub_(similarity.amax(1, keepdim=True)).exp2_()
        out0[block] = linear(across, values1) / across.sum(1, keepdim=True)
    out1.copy_((gathered / total).T)


if __name__ == "__main__":
    main()
