"""From similarities to matches: the assignment of LightGlue (arXiv 2306.13643, equations 6 and 7).

With s the similarities and z the matchability logits, the log score of a pair is
`log sigmoid(z0) + log sigmoid(z1) + log softmax of s over its row + log softmax of s over its column`.
A match is a pair that is the best of its row and of its column, with a score above the threshold.

`log_assignment_matrix` + `mutual_matches` write the whole matrix down: for training, and as the truth in tests.
`streamed_matches` gives the same matches from blocks of rows, in memory that grows with m + n and not m x n.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

BLOCK_ELEMENTS = 1 << 20
"""Similarities held at once by `streamed_matches`: 4 MiB, which stay in the cache."""

BITS = math.log2(math.e)
"""Logarithms to the base 2 of a quantity, divided by its natural one."""


class AssignmentTensors(NamedTuple):
    """Who matches whom, seen from both images of a pair.

    `matches0[i]` is the index in image 1 of the match of keypoint i, or -1. `matching_scores0[i]` is the score of
    its mutual best partner, whether above the threshold or not, and 0 where there is none.
    """

    matches0: Int[Tensor, "*b m"]
    matches1: Int[Tensor, "*b n"]
    matching_scores0: Float[Tensor, "*b m"]
    matching_scores1: Float[Tensor, "*b n"]


def log_assignment_matrix(
    vectors0: Float[Tensor, "b m d"],
    vectors1: Float[Tensor, "b n d"],
    logits0: Float[Tensor, "b m"],
    logits1: Float[Tensor, "b n"],
    mask0: Bool[Tensor, "b m"] | None = None,
    mask1: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b m+1 n+1"]:
    """Write down the log score of every pair, and in the last column and row of having no match.

    Args:
        vectors0: their dot products with `vectors1` are the similarities.
        vectors1: likewise.
        logits0: of the probability that a keypoint of image 0 has a match.
        logits1: likewise of image 1.
        mask0: True for real keypoints of image 0; padding gets -inf and takes no part. None: all are real.
        mask1: likewise of image 1.
    """
    similarity = vectors0 @ vectors1.transpose(1, 2)
    real = _real_pairs(similarity, mask0, mask1)
    # A finite value instead of -inf: a row of padding only must not become NaN, in the gradient neither.
    similarity = similarity.masked_fill(~real, torch.finfo(similarity.dtype).min / 4)
    matchable = F.logsigmoid(logits0)[:, :, None] + F.logsigmoid(logits1)[:, None, :]
    pairs = (similarity.log_softmax(2) + similarity.log_softmax(1) + matchable).masked_fill(~real, -torch.inf)
    none0, none1 = F.logsigmoid(-logits0), F.logsigmoid(-logits1)
    none0 = none0 if mask0 is None else none0.masked_fill(~mask0, -torch.inf)
    none1 = none1 if mask1 is None else none1.masked_fill(~mask1, -torch.inf)
    return torch.cat((torch.cat((pairs, none0[:, :, None]), 2), F.pad(none1, (0, 1))[:, None]), 1)


def _real_pairs(similarity: Tensor, mask0: Tensor | None, mask1: Tensor | None) -> Tensor:
    real = torch.ones_like(similarity, dtype=torch.bool)
    real = real if mask0 is None else real & mask0[:, :, None]
    return real if mask1 is None else real & mask1[:, None, :]


def mutual_matches(log_scores: Float[Tensor, "b rows columns"], threshold: float) -> AssignmentTensors:
    """Keep the pairs that are the best of their row and of their column, with a score above `threshold`.

    Args:
        log_scores: (b, m + 1, n + 1), as `log_assignment_matrix` gives them.
        threshold: of the score, not of its logarithm.
    """
    pairs = log_scores[:, :-1, :-1]
    b, m, n = pairs.shape
    if m == 0 or n == 0:
        return no_matches((b, m), (b, n), log_scores)
    (log_best0, best0), best1 = pairs.max(2), pairs.argmax(1)
    scores = log_best0.exp()
    return keep_mutual(scores, best0, best1, scores > threshold)


def streamed_matches(
    vectors0: Float[Tensor, "m d"],
    vectors1: Float[Tensor, "n d"],
    logits0: Float[Tensor, "m"],
    logits1: Float[Tensor, "n"],
    threshold: float,
    *,
    block_elements: int = BLOCK_ELEMENTS,
) -> AssignmentTensors:
    """`mutual_matches(log_assignment_matrix(…))` of one pair, without ever holding the m x n matrix.

    The first pass gathers the normalizers (log-sum-exp) of rows and columns; they and the matchabilities are one
    number a row and one a column. The second pass adds these to twice the similarity and keeps the best.
    """
    m, n = len(vectors0), len(vectors1)
    if m == 0 or n == 0:
        return no_matches((m,), (n,), vectors0)
    blocks = row_blocks(m, n, block_elements)
    similarity = _similarity_in_bits(vectors0, vectors1, blocks)
    row_terms, column_terms = (F.logsigmoid(logits) * BITS for logits in (logits0, logits1))
    column_sum = torch.full_like(column_terms, -torch.inf)
    for block in blocks:
        s = similarity(block)
        row_terms[block] -= _log2_sum_exp2(s, 1)
        torch.logaddexp2(column_sum, _log2_sum_exp2(s, 0), out=column_sum)
    column_terms = column_terms - column_sum

    def log_scores(block: slice) -> Tensor:
        return (2 * similarity(block)).add_(row_terms[block, None]).add_(column_terms)

    log_best0, best0, best1 = best_of_blocks(log_scores, blocks)
    scores = log_best0.exp2()
    return keep_mutual(scores, best0, best1, scores > threshold)


def _similarity_in_bits(
    vectors0: Float[Tensor, "m d"], vectors1: Float[Tensor, "n d"], blocks: list[slice]
) -> Callable[[slice], Float[Tensor, "rows n"]]:
    """Rows of the similarities, in units of log 2; a single block is computed only once."""
    vectors0 = vectors0 * BITS
    if len(blocks) > 1:
        return lambda block: vectors0[block] @ vectors1.T
    kept = vectors0 @ vectors1.T
    return lambda _: kept


def _log2_sum_exp2(x: Float[Tensor, "rows columns"], dim: int) -> Float[Tensor, "k"]:
    """`logsumexp` to the base 2: torch's exp2 is several times as fast as its exp, which goes to MKL."""
    largest = x.amax(dim, keepdim=True)
    return (x - largest).exp2_().sum(dim).log2_().add_(largest.squeeze(dim))


def row_blocks(m: int, n: int, block_elements: int = BLOCK_ELEMENTS) -> list[slice]:
    """Cut the m rows of an m x n matrix into blocks of at most `block_elements` elements, at least a row each."""
    rows = max(1, block_elements // n)
    return [slice(start, min(start + rows, m)) for start in range(0, m, rows)]


def best_of_blocks(
    scores: Callable[[slice], Float[Tensor, "rows n"]], blocks: list[slice]
) -> tuple[Float[Tensor, "m"], Int[Tensor, "m"], Int[Tensor, "n"]]:
    """Best score and best column of each row, best row of each column, from a matrix given block by block.

    Ties go to the lower index.
    """
    best0 = best1 = None
    for block in blocks:
        of_block = scores(block)
        if best0 is None or best1 is None:
            best0, best1 = (_nothing_yet(of_block, count) for count in (blocks[-1].stop, of_block.shape[1]))
        torch.max(of_block, 1, out=(best0.scores[block], best0.indices[block]))
        values, rows = of_block.max(0)
        better = values > best1.scores
        torch.where(better, values, best1.scores, out=best1.scores)
        torch.where(better, rows + block.start, best1.indices, out=best1.indices)
    assert best0 is not None
    assert best1 is not None
    return best0.scores, best0.indices, best1.indices


class _Best(NamedTuple):
    """Filled block by block, and never made anew: small tensors that stay, put between the blocks' memory, would keep malloc
    from using it again, so that it would grow to that of the whole matrix.
    """

    scores: Float[Tensor, "k"]
    indices: Int[Tensor, "k"]


def _nothing_yet(like: Tensor, count: int) -> _Best:
    return _Best(like.new_full((count,), -torch.inf), like.new_zeros(count, dtype=torch.long))


def keep_mutual(
    scores: Float[Tensor, "*b m"],
    best0: Int[Tensor, "*b m"],
    best1: Int[Tensor, "*b n"],
    good_enough: Bool[Tensor, "*b m"],
) -> AssignmentTensors:
    """Keep the pairs that are best from both sides and good enough.

    Args:
        scores: of the pairs (i, best0[i]); mutual ones keep theirs in `matching_scores`, good enough or not.
        best0: best partner of each keypoint of image 0.
        best1: likewise of image 1.
        good_enough: which of the pairs (i, best0[i]) may be matches.
    """
    rows = torch.arange(best0.shape[-1], device=best0.device).expand_as(best0)
    columns = torch.arange(best1.shape[-1], device=best1.device).expand_as(best1)
    mutual0 = best1.gather(-1, best0) == rows
    mutual1 = best0.gather(-1, best1) == columns
    scores0 = torch.where(mutual0, scores, 0)
    scores1 = torch.where(mutual1, scores0.gather(-1, best1), 0)
    matches0 = torch.where(mutual0 & good_enough, best0, -1)
    matches1 = torch.where(mutual1 & good_enough.gather(-1, best1), best1, -1)
    return AssignmentTensors(matches0, matches1, scores0, scores1)


def no_matches(shape0: tuple[int, ...], shape1: tuple[int, ...], like: Tensor) -> AssignmentTensors:
    """The empty assignment: no keypoint has a match."""
    nobody = (torch.full(shape, -1, dtype=torch.long, device=like.device) for shape in (shape0, shape1))
    zeros = (torch.zeros(shape, dtype=torch.float32, device=like.device) for shape in (shape0, shape1))
    return AssignmentTensors(*nobody, *zeros)
