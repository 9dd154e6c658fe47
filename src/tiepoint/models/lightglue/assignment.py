"""From similarities to matches: the assignment of LightGlue (arXiv 2306.13643, equations 6 and 7).

With similarities s and matchability logits z, the log score of a pair of keypoints is
`log sigmoid(z0) + log sigmoid(z1) + log softmax of s over its row + log softmax of s over its column`.
A match is a mutual nearest neighbor (maximum of its row and of its column) with a score above the threshold.

`log_assignment_matrix` + `mutual_matches` compute the whole matrix: for training, and as the reference in tests.
`streamed_matches` computes the same matches from blocks of rows, in memory that grows with m + n instead of m x n.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.onednn import products

BLOCK_ELEMENTS = 1 << 20  # similarities per block of `streamed_matches`: 4 MiB, which fit into the cache
LOG2_E = math.log2(math.e)  # factor from natural logarithms to logarithms with base 2


class AssignmentTensors(NamedTuple):
    """Matches of a pair, per keypoint of each image.

    Attributes:
        matches0: Index in image 1 of the match of each keypoint of image 0, or -1.
        matches1: Index in image 0 of the match of each keypoint of image 1, or -1.
        matching_scores0: Score of the mutual nearest neighbor of each keypoint of image 0, also if it is below the
            threshold; 0 without one.
        matching_scores1: Same for the keypoints of image 1.
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
    """Compute the log score of every pair of keypoints; the last column and row are the unmatched keypoints.

    Args:
        vectors0: Projected tokens of image 0; their dot products with `vectors1` are the similarities.
        vectors1: Projected tokens of image 1.
        logits0: Matchability logits of image 0.
        logits1: Matchability logits of image 1.
        mask0: True for the real keypoints of image 0; padding gets -inf and does not contribute. None if all are real.
        mask1: Mask of the keypoints of image 1.
    """
    similarity = vectors0 @ vectors1.transpose(1, 2)
    real = _real_pairs(similarity, mask0, mask1)
    # a finite value instead of -inf: a row that is all padding must not become NaN, nor its gradient
    similarity = similarity.masked_fill(~real, torch.finfo(similarity.dtype).min / 4)
    matchable = F.logsigmoid(logits0)[:, :, None] + F.logsigmoid(logits1)[:, None, :]
    pairs = (similarity.log_softmax(2) + similarity.log_softmax(1) + matchable).masked_fill(~real, -torch.inf)
    unmatched0, unmatched1 = F.logsigmoid(-logits0), F.logsigmoid(-logits1)
    unmatched0 = unmatched0 if mask0 is None else unmatched0.masked_fill(~mask0, -torch.inf)
    unmatched1 = unmatched1 if mask1 is None else unmatched1.masked_fill(~mask1, -torch.inf)
    return torch.cat((torch.cat((pairs, unmatched0[:, :, None]), 2), F.pad(unmatched1, (0, 1))[:, None]), 1)


def _real_pairs(similarity: Tensor, mask0: Tensor | None, mask1: Tensor | None) -> Tensor:
    real = torch.ones_like(similarity, dtype=torch.bool)
    real = real if mask0 is None else real & mask0[:, :, None]
    return real if mask1 is None else real & mask1[:, None, :]


def mutual_matches(log_scores: Float[Tensor, "b rows columns"], threshold: float) -> AssignmentTensors:
    """Find the mutual nearest neighbors with a score above the threshold.

    Args:
        log_scores: Log assignment matrix (`log_assignment_matrix`), shape (b, m + 1, n + 1).
        threshold: Minimum score (exclusive); a probability, not its logarithm.
    """
    pairs = log_scores[:, :-1, :-1]
    b, m, n = pairs.shape
    if m == 0 or n == 0:
        return no_matches((b, m), (b, n), log_scores)
    (log_best0, best0), best1 = pairs.max(2), pairs.argmax(1)
    scores = log_best0.exp()
    return mutual_nearest(scores, best0, best1, scores > threshold)


def streamed_matches(
    vectors0: Float[Tensor, "m d"],
    vectors1: Float[Tensor, "n d"],
    logits0: Float[Tensor, "m"],
    logits1: Float[Tensor, "n"],
    threshold: float,
    *,
    block_elements: int = BLOCK_ELEMENTS,
) -> AssignmentTensors:
    """Compute `mutual_matches(log_assignment_matrix(…))` of one pair without storing the m x n matrix.

    The first pass computes the normalizers (log-sum-exp) of rows and columns. Together with the matchability they are
    one term per row and one per column. The second pass adds them to twice the similarity and finds the maxima.

    Args:
        vectors0: Projected tokens of image 0.
        vectors1: Projected tokens of image 1.
        logits0: Matchability logits of image 0.
        logits1: Matchability logits of image 1.
        threshold: Minimum score (exclusive).
        block_elements: Maximum number of matrix elements per block.
    """
    m, n = len(vectors0), len(vectors1)
    if m == 0 or n == 0:
        return no_matches((m,), (n,), vectors0)
    blocks = row_blocks(m, n, block_elements)
    similarity = _log2_similarity(vectors0, vectors1, blocks)
    row_terms, column_terms = (F.logsigmoid(logits) * LOG2_E for logits in (logits0, logits1))
    column_sum = torch.full_like(column_terms, -torch.inf)
    for block in blocks:
        s = similarity(block)
        row_terms[block] -= _log2_sum_exp2(s, 1)
        torch.logaddexp2(column_sum, _log2_sum_exp2(s, 0), out=column_sum)
    column_terms = column_terms - column_sum

    def log2_scores(block: slice) -> Tensor:
        return (2 * similarity(block)).add_(row_terms[block, None]).add_(column_terms)

    log2_best0, best0, best1 = argmax_streaming(log2_scores, blocks)
    scores = log2_best0.exp2()
    return mutual_nearest(scores, best0, best1, scores > threshold)


def _log2_similarity(
    vectors0: Float[Tensor, "m d"], vectors1: Float[Tensor, "n d"], blocks: list[slice]
) -> Callable[[slice], Float[Tensor, "rows n"]]:
    """Similarities of a block of rows as logits with base 2; a single block is computed only once."""
    vectors0 = vectors0 * LOG2_E
    if len(blocks) > 1:
        return lambda block: products(vectors0[block], vectors1)
    whole = products(vectors0, vectors1)
    return lambda _: whole


def _log2_sum_exp2(x: Float[Tensor, "rows columns"], dim: int) -> Float[Tensor, "k"]:
    """`logsumexp` with base 2: torch's exp2 is several times as fast as its exp, which uses MKL."""
    maximum = x.amax(dim, keepdim=True)
    return (x - maximum).exp2_().sum(dim).log2_().add_(maximum.squeeze(dim))


def row_blocks(m: int, n: int, block_elements: int = BLOCK_ELEMENTS) -> list[slice]:
    """Split the rows of an m x n matrix into blocks of at most `block_elements` elements, but at least one row."""
    rows = max(1, block_elements // n)
    return [slice(start, min(start + rows, m)) for start in range(0, m, rows)]


def argmax_streaming(
    scores: Callable[[slice], Float[Tensor, "rows n"]], blocks: list[slice]
) -> tuple[Float[Tensor, "m"], Int[Tensor, "m"], Int[Tensor, "n"]]:
    """Find the maxima of the rows and columns of a matrix that is computed block by block.

    Args:
        scores: Function that computes a block of rows.
        blocks: Consecutive blocks of rows that cover the matrix (`row_blocks`), at least one.

    Returns:
        Maximum of each row, its column, and the row of the maximum of each column; ties go to the lower index.
    """
    best0 = best1 = None
    for block in blocks:
        block_scores = scores(block)
        if best0 is None or best1 is None:
            best0, best1 = (_init_best(block_scores, k) for k in (blocks[-1].stop, block_scores.shape[1]))
        torch.max(block_scores, 1, out=(best0.scores[block], best0.indices[block]))
        values, rows = block_scores.max(0)
        is_better = values > best1.scores
        torch.where(is_better, values, best1.scores, out=best1.scores)
        torch.where(is_better, rows + block.start, best1.indices, out=best1.indices)
    assert best0 is not None
    assert best1 is not None
    return best0.scores, best0.indices, best1.indices


class _Best(NamedTuple):
    """Maxima so far, updated in place.

    Small new tensors between the large blocks would keep malloc from reusing the blocks' memory, which would then grow
    to the size of the whole matrix.
    """

    scores: Float[Tensor, "k"]
    indices: Int[Tensor, "k"]


def _init_best(like: Tensor, count: int) -> _Best:
    return _Best(like.new_full((count,), -torch.inf), like.new_zeros(count, dtype=torch.long))


def mutual_nearest(
    scores: Float[Tensor, "*b m"],
    best0: Int[Tensor, "*b m"],
    best1: Int[Tensor, "*b n"],
    above_threshold: Bool[Tensor, "*b m"],
) -> AssignmentTensors:
    """Cross-check: keep the pairs that are nearest neighbors in both directions and above the threshold.

    Args:
        scores: Scores of the pairs (i, best0[i]); all mutual pairs keep theirs in `matching_scores`.
        best0: Nearest neighbor of each keypoint of image 0.
        best1: Nearest neighbor of each keypoint of image 1.
        above_threshold: True for the pairs (i, best0[i]) that may be matches.
    """
    rows = torch.arange(best0.shape[-1], dtype=torch.int64, device=best0.device).expand_as(best0)
    columns = torch.arange(best1.shape[-1], dtype=torch.int64, device=best1.device).expand_as(best1)
    is_mutual0 = best1.gather(-1, best0) == rows
    is_mutual1 = best0.gather(-1, best1) == columns
    scores0 = torch.where(is_mutual0, scores, 0)
    scores1 = torch.where(is_mutual1, scores0.gather(-1, best1), 0)
    matches0 = torch.where(is_mutual0 & above_threshold, best0, -1)
    matches1 = torch.where(is_mutual1 & above_threshold.gather(-1, best1), best1, -1)
    return AssignmentTensors(matches0, matches1, scores0, scores1)


def no_matches(shape0: tuple[int, ...], shape1: tuple[int, ...], like: Tensor) -> AssignmentTensors:
    """Return the empty assignment: all keypoints are unmatched.

    Args:
        shape0: Shape of the tensors of image 0.
        shape1: Shape of the tensors of image 1.
        like: Tensor on the device of the result.
    """
    matches = (torch.full(shape, -1, dtype=torch.long, device=like.device) for shape in (shape0, shape1))
    scores = (torch.zeros(shape, dtype=torch.float32, device=like.device) for shape in (shape0, shape1))
    return AssignmentTensors(*matches, *scores)
