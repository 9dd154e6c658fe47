"""FeatureMatcher: LightGlue for features of any origin, without an extractor; `load_matcher` creates it."""

from collections.abc import Iterable
from typing import TypedDict

import torch

from tiepoint.matching.inputs import FeaturePair, as_pairs
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.result import MatchResult
from tiepoint.types.options import Adaptive, BatchSize, DtypeName


class FeatureMatcherOptions(TypedDict, total=False):
    """Keyword options of `load_matcher`; as for `load`.

    Attributes:
        device: Device of the network. Default: "auto".
        adaptive: Early stopping and keypoint pruning. Default: True.
        max_layers: Maximum number of layers to run. Default: None.
        filter_threshold: Minimum match score (exclusive). Default: 0.1.
        dtype: Floating-point type. Default: "float32".
        batch_size: Pairs per batch. Default: "auto".
        memory_budget: Maximum memory in bytes for matching. Default: None.
        accept_license: Accept weights whose license does not allow commercial use. Default: False.
        progress: Show the progress of a download on stderr. Default: False.
    """

    device: str | torch.device
    adaptive: Adaptive
    max_layers: int | None
    filter_threshold: float
    dtype: DtypeName | torch.dtype
    batch_size: BatchSize
    memory_budget: int | None
    accept_license: bool
    progress: bool


class FeatureMatcher:
    """LightGlue for features of any origin, without an extractor; `load_matcher` creates it.

    Args:
        matcher: Matcher of pairs of features.
    """

    def __init__(self, matcher: LightGlueMatcher) -> None:
        self.matcher = matcher
        self.fingerprint = matcher.fingerprint

    def __repr__(self) -> str:
        shape = self.matcher.network.shape
        kind = self.matcher.settings.kind or "any features"
        return f"FeatureMatcher({kind}, dimension {shape.input_dim}, device='{self.matcher.device}')"

    def match_features(self, pairs: Iterable[FeaturePair]) -> list[MatchResult]:
        """Match any number of pairs of features; results are identical to matching each pair on its own.

        Args:
            pairs: [(features0, features1), …], from `Features.from_arrays`, `Features.from_opencv` or `read_features`.

        Returns:
            One result per pair, in the same order.

        Raises:
            InvalidInput: If features have another kind or descriptor dimension, or lack the scales and orientations
                that the weights need.
        """
        checked = as_pairs(pairs)
        return [
            MatchResult.from_assignment(features0, features1, assignment, {})
            for (features0, features1), assignment in zip(checked, self.matcher.match(checked), strict=True)
        ]
