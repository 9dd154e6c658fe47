"""Softmax attention by oneDNN's matrix products: on AMD CPUs 1.1 to 2.2 times as fast as torch's (docs/log.md).

torch's attention for CPUs multiplies small tiles by MKL; on Intel CPUs it is 1.3 to 1.7 times as fast as this one. Here a block of queries is multiplied with all keys at once;
the weights of a block fit into the cache. The result is the same, but for the order of rounding.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.models.onednn import is_amd, is_available_for, linear_padded, pad_rows, padded_rows

MAX_BLOCK = 512  # queries per product: with 2,048 keys the weights take 4 MiB
MIN_TOKENS = 320  # with fewer queries or keys torch's attention is faster
LOG2_E = math.log2(math.e)


def is_blockwise_faster(q: Float[Tensor, "h m e"], k: Float[Tensor, "h n e"]) -> bool:
    """Return whether `blockwise_attention` is available for these queries and keys, and faster than torch's."""
    return is_amd() and is_available_for(q) and min(q.shape[1], k.shape[1]) >= MIN_TOKENS


def blockwise_attention(
    q: Float[Tensor, "h m e"], k: Float[Tensor, "h n e"], v: Float[Tensor, "h n e"]
) -> Float[Tensor, "m h*e"]:
    """Attend from m queries to n keys and values with scale 1 / sqrt(e), without gradients.

    Args:
        q: Queries.
        k: Keys, at least one.
        v: Values.

    Returns:
        Weighted sums of the values, the heads of each query next to each other.
    """
    heads, m, dim = q.shape
    n = k.shape[1]
    blocks = -(-m // MAX_BLOCK)
    rows = padded_rows(-(-m // blocks))
    queries = pad_rows(q.contiguous() * (LOG2_E / math.sqrt(dim)), blocks * rows)
    keys = pad_rows(k, padded_rows(n)).contiguous()  # each head by itself, which oneDNN needs
    values = pad_rows(v, padded_rows(n)).transpose(1, 2).contiguous()  # (h, e, n)
    context = q.new_empty(m, heads, dim)
    for head in range(heads):
        for start in range(0, m, rows):
            block, out = queries[head, start : start + rows], context[start : start + rows, head]
            _attend_block(block, keys[head], values[head], n, out)
    return context.flatten(1)


def _attend_block(
    queries: Float[Tensor, "rows e"],
    keys: Float[Tensor, "padded e"],
    values: Float[Tensor, "e padded"],
    n: int,
    out: Float[Tensor, "m e"],
) -> None:
    """Attend from a block of queries to the first n keys; the other keys and values are zero padding."""
    weights = linear_padded(queries, keys)
    real = weights[:, :n]
    real.sub_(real.amax(1, keepdim=True)).exp2_()
    weights[:, n:] = 0  # the padding of the keys
    sums = real.sum(1, keepdim=True)
    torch.div(linear_padded(weights, values)[: len(out)], sums[: len(out)], out=out)
