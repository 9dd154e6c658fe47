"""Mutual nearest neighbors: the baseline without weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tiepoint.io.config import fingerprint
from tiepoint.matching.inputs import FeaturePair, check_pairs, to_assignment
from tiepoint.models.lightglue.assignment import (
    AssignmentTensors,
    argmax_streaming,
    mutual_nearest,
    no_matches,
    row_blocks,
)
from tiepoint.models.lightglue.inference import PairAssignment
from tiepoint.models.precision import without_autocast
from tiepoint.types import Assignment, Features


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestSettings:
    """Everything that determines the matches of a pair of features; see `NearestMatcher`."""

    kind: str = ""
    filter_threshold: float = 0.1


class NearestMatcher:
    """Match keypoints whose descriptors are mutual nearest neighbors; the score is their cosine similarity.

    Args:
        kind: Kind of features to accept; "" accepts any, equal within a pair.
        filter_threshold: Minimum cosine similarity of a match (inclusive).
    """

    def __init__(self, *, kind: str = "", filter_threshold: float = 0.1) -> None:
        self.settings = NearestSettings(kind=kind, filter_threshold=filter_threshold)
        self.fingerprint = fingerprint(self.settings)

    @torch.inference_mode()
    @without_autocast()
    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features, in memory that grows with the number of keypoints m + n of a pair.

        Args:
            pairs: Features of image 0 and image 1 of each pair; they may have no keypoints.

        Returns:
            One assignment per pair, in the same order, on the CPU.

        Raises:
            InvalidInput: If features have another kind, or descriptors of a pair have different dimensions.
        """
        check_pairs(pairs, kind=self.settings.kind)
        return [self._match_pair(features0, features1) for features0, features1 in pairs]

    def _match_pair(self, features0: Features, features1: Features) -> Assignment:
        vectors0, vectors1 = (F.normalize(features.descriptors, dim=1) for features in (features0, features1))
        found = _match_vectors(vectors0, vectors1.to(vectors0), self.settings.filter_threshold)
        prune0, prune1 = (torch.ones_like(matches) for matches in (found.matches0, found.matches1))
        return to_assignment(PairAssignment(found, prune0, prune1, layers_run=0))


def _match_vectors(vectors0: Tensor, vectors1: Tensor, threshold: float) -> AssignmentTensors:
    m, n = len(vectors0), len(vectors1)
    if m == 0 or n == 0:
        return no_matches((m,), (n,), vectors0)
    similarities, best0, best1 = argmax_streaming(lambda rows: vectors0[rows] @ vectors1.T, row_blocks(m, n))
    return mutual_nearest(similarities, best0, best1, similarities >= threshold)
