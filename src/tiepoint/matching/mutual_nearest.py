"""Mutual nearest neighbors: the baseline without weights."""

# The library validates values of users without a type checker.
# pyright: reportUnnecessaryIsInstance=false

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tiepoint.io.config import fingerprint
from tiepoint.io.validation import check_number
from tiepoint.matching.inputs import FeaturePair, UnknownKinds, check_pairs, to_assignment
from tiepoint.matching.latency.budget import PairClock
from tiepoint.matching.top_k import select_top_k, to_original
from tiepoint.models.lightglue.assignment import (
    AssignmentTensors,
    argmax_streaming,
    mutual_nearest,
    no_matches,
    row_blocks,
)
from tiepoint.models.lightglue.inference import PairAssignment
from tiepoint.models.precision import ordinary_inference
from tiepoint.types import Assignment, Features


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestSettings:
    """Everything that determines the matches of a pair of features; see `NearestMatcher`."""

    kind: str = ""
    filter_threshold: float = 0.1
    max_ratio: float | None = None

    def __post_init__(self) -> None:
        check_number("filter_threshold", self.filter_threshold, -1, 1)
        if self.max_ratio is not None:
            check_number("max_ratio", self.max_ratio, 0, 1, alternative="None")


class NearestMatcher:
    """Match keypoints whose descriptors are mutual nearest neighbors; the score is their cosine similarity.

    Args:
        kind: Kind of features to accept; "" accepts any, equal within a pair.
        filter_threshold: Minimum cosine similarity of a match (exclusive), in [-1, 1].
        max_ratio: Ratio test: maximum ratio (exclusive) of the distances to the nearest and the second nearest
            descriptor, in [0, 1], in both directions; None disables it.
        require_kind: Whether a pair with one feature set of unknown kind is an error; otherwise a warning, once.

    Raises:
        InvalidInput: If a threshold is out of range.
    """

    def __init__(
        self,
        *,
        kind: str = "",
        filter_threshold: float = 0.1,
        max_ratio: float | None = None,
        require_kind: bool = False,
    ) -> None:
        self.settings = NearestSettings(kind=kind, filter_threshold=filter_threshold, max_ratio=max_ratio)
        self.fingerprint = fingerprint(self.settings)
        self._unknown_kinds = UnknownKinds(require_kind=require_kind)

    @ordinary_inference()
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
        self._unknown_kinds.check_mixed(pairs)
        return [self._match_pair(features0, features1) for features0, features1 in pairs]

    def match_within(self, pair: FeaturePair, clock: PairClock) -> Assignment:
        """Match a pair with the keypoints for which the clock has time.

        Args:
            pair: Features of image 0 and image 1.
            clock: Clock of the pair.

        Raises:
            InvalidInput: For the same reasons as in `match`.
        """
        plan = clock.plan_matching((len(pair[0]), len(pair[1])))
        (features0, indices0), (features1, indices1) = (
            select_top_k(features, plan.max_keypoints) for features in pair
        )
        (assignment,) = self.match([(features0, features1)])
        return to_original(assignment, (indices0, indices1), pair)

    def _match_pair(self, features0: Features, features1: Features) -> Assignment:
        vectors0, vectors1 = (F.normalize(features.descriptors, dim=1) for features in (features0, features1))
        found = _match_vectors(vectors0, vectors1.to(vectors0), self.settings)
        prune0, prune1 = (torch.ones_like(matches) for matches in (found.matches0, found.matches1))
        return to_assignment(PairAssignment(found, prune0, prune1, layers_run=0, stopped_by="no_layers"))


def _match_vectors(vectors0: Tensor, vectors1: Tensor, settings: NearestSettings) -> AssignmentTensors:
    m, n = len(vectors0), len(vectors1)
    if m == 0 or n == 0:
        return no_matches((m,), (n,), vectors0)
    similarities, best0, best1 = argmax_streaming(lambda rows: vectors0[rows] @ vectors1.T, row_blocks(m, n))
    accepted = similarities > settings.filter_threshold
    if settings.max_ratio is not None:
        accepted &= _pass_ratio_test(vectors0, vectors1, settings.max_ratio)
        accepted &= _pass_ratio_test(vectors1, vectors0, settings.max_ratio)[best0]
    return mutual_nearest(similarities, best0, best1, accepted)


def _pass_ratio_test(
    vectors: Float[Tensor, "m d"], others: Float[Tensor, "n d"], max_ratio: float
) -> Bool[Tensor, "m"]:
    """Whether the nearest of the other unit vectors is nearer than `max_ratio` times the second nearest.

    Source: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, section 7.1.
    """
    if len(others) == 1:
        return torch.ones_like(vectors[:, 0], dtype=torch.bool)
    blocks = [
        (vectors[rows] @ others.T).topk(2, dim=1).values for rows in row_blocks(len(vectors), len(others))
    ]
    nearest, second = (2 - 2 * torch.cat(blocks)).clamp(min=0).unbind(dim=1)  # squared distances
    return nearest < max_ratio**2 * second
