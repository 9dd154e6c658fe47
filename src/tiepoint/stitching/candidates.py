"""Pairs of images that may overlap: all pairs of few images; of many, those with similar keypoints and neighbors in order."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tiepoint.matcher import Matcher
from tiepoint.matching.prescreening import Prescreener
from tiepoint.types import Features

MAX_EXHAUSTIVE = 40  # images of which all pairs are candidates
NUM_SIMILAR = 12  # candidates per image if there are more
NUM_SUCCESSORS = 3  # next images in the order of the list that are candidates, too
NUM_DESCRIPTORS = 256  # highest-scoring keypoints per image that are compared
MIN_PRESCREENED = 10  # pairs from which on prescreening saves time
PRESCREEN_BATCH = 64  # pairs per batch

Pair = tuple[int, int]


def candidate_pairs(features: Sequence[Features]) -> list[Pair]:
    """Return index pairs (i, j), i < j, of images that may overlap.

    Args:
        features: Features of each image.
    """
    count = len(features)
    if count <= MAX_EXHAUSTIVE:
        return [(i, j) for i in range(count) for j in range(i + 1, count)]
    similarity = _mutual_neighbors(features)
    similar: list[list[int]] = similarity.topk(NUM_SIMILAR, dim=1).indices.numpy().tolist()
    pairs = {(min(i, j), max(i, j)) for i, row in enumerate(similar) for j in row if i != j}
    pairs |= {(i, i + step) for step in range(1, NUM_SUCCESSORS + 1) for i in range(count - step)}
    return sorted(pairs)


def prescreen(
    matcher: Matcher,
    features: Sequence[Features],
    pairs: Sequence[Pair],
    preset: str,
    threshold: float | None,
) -> list[Pair]:
    """Return the pairs whose cheap match suggests an overlap.

    Args:
        matcher: Matcher of the full matches.
        features: Features of each image.
        pairs: Index pairs.
        preset: Preset that has a calibration.
        threshold: Minimum probability of a pair that is kept; None keeps all.
    """
    if threshold is None or len(pairs) < MIN_PRESCREENED:
        return list(pairs)
    prescreener = Prescreener(matcher.matcher, preset)
    kept: list[Pair] = []
    for start in range(0, len(pairs), PRESCREEN_BATCH):
        batch = pairs[start : start + PRESCREEN_BATCH]
        probabilities = prescreener.probabilities([(features[i], features[j]) for i, j in batch])
        kept += [pair for pair, each in zip(batch, probabilities, strict=True) if each >= threshold]
    return kept


def _mutual_neighbors(features: Sequence[Features]) -> Tensor:
    """Number of mutual nearest neighbors among the first keypoints of each pair, shape (n, n); -1 on the diagonal."""
    described = [each.descriptors[:NUM_DESCRIPTORS].float().cpu() for each in features]
    counts = torch.full((len(features), len(features)), -1, dtype=torch.int64, device="cpu")
    for i, first in enumerate(described):
        for j in range(i + 1, len(described)):
            counts[i, j] = counts[j, i] = _count_mutual(first, described[j])
    return counts


def _count_mutual(descriptors0: Tensor, descriptors1: Tensor) -> int:
    if len(descriptors0) == 0 or len(descriptors1) == 0:
        return 0
    similarity = descriptors0 @ descriptors1.T
    forward, backward = similarity.argmax(dim=1), similarity.argmax(dim=0)
    indices = torch.arange(len(descriptors0), dtype=torch.int64, device="cpu")
    return int((backward[forward] == indices).sum())
