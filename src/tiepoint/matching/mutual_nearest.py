"""Mutual nearest neighbors: the baseline without weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tiepoint.io.config import fingerprint
from tiepoint.matching.compatibility import FeaturePair, check_pairs
from tiepoint.matching.inputs import as_matches
from tiepoint.models.lightglue.assignment import (
    AssignmentTensors,
    best_of_blocks,
    keep_mutual,
    no_matches,
    row_blocks,
)
from tiepoint.types import Assignment, Features


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestSettings:
    """Everything that decides which matches a pair of features gives; see `NearestMatcher`."""

    kind: str = ""
    filter_threshold: float = 0.1


class NearestMatcher:
    """Match keypoints whose descriptors are each other's nearest; the score is their cosine.

    Args:
        kind: of the features to take; "" = any, but equal in a pair.
        filter_threshold: the least cosine of a match.
    """

    def __init__(self, *, kind: str = "", filter_threshold: float = 0.1) -> None:
        self.settings = NearestSettings(kind=kind, filter_threshold=filter_threshold)
        self.fingerprint = fingerprint(self.settings)

    @torch.inference_mode()
    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features; the memory grows with m + n.

        Args:
            pairs: features of image 0 and of image 1; 0 keypoints are fine.

        Raises:
            InvalidInput: features of another kind, or of different dimensions in a pair.
        """
        check_pairs(pairs, kind=self.settings.kind)
        return [self._match_pair(features0, features1) for features0, features1 in pairs]

    def _match_pair(self, features0: Features, features1: Features) -> Assignment:
        vectors0, vectors1 = (F.normalize(features.descriptors, dim=1) for features in (features0, features1))
        assignment = _mutual_nearest(vectors0, vectors1.to(vectors0), self.settings.filter_threshold)
        survived = (torch.ones_like(matches) for matches in (assignment.matches0, assignment.matches1))
        return as_matches(assignment, *survived, layers_run=0)


def _mutual_nearest(vectors0: Tensor, vectors1: Tensor, threshold: float) -> AssignmentTensors:
    m, n = len(vectors0), len(vectors1)
    if m == 0 or n == 0:
        return no_matches((m,), (n,), vectors0)
    cosines, best0, best1 = best_of_blocks(lambda rows: vectors0[rows] @ vectors1.T, row_blocks(m, n))
    return keep_mutual(cosines, best0, best1, cosines >= threshold)
