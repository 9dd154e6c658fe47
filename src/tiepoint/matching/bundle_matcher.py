"""The matcher of an exported bundle, as a matcher of Features."""

# torch.from_numpy takes arrays of any dtype
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tiepoint.errors import InvalidInput
from tiepoint.io.config import fingerprint
from tiepoint.matching.inputs import FeaturePair, UnknownKinds, check_pairs
from tiepoint.runtimes.lightglue import ImageInputs, PairOutputs
from tiepoint.runtimes.matching import BundleMatcher, MatchingOptions
from tiepoint.types import Assignment, Features
from tiepoint.types.features import StoppedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSettings:
    """Everything that determines the matches of a pair of features.

    Attributes:
        matcher: Fingerprint of the exported matcher.
        options: Adaptivity and number of layers.
    """

    matcher: str
    options: MatchingOptions


class BundlePairMatcher:
    """Match pairs of features with a bundle, one after the other.

    Args:
        matcher: Matcher of the bundle.
        options: Options that it was opened with.
        require_kind: Whether features of unknown kind are an error; otherwise a warning, once.
    """

    def __init__(
        self, matcher: BundleMatcher, options: MatchingOptions, *, require_kind: bool = False
    ) -> None:
        self.matcher = matcher
        self.fingerprint = fingerprint(BundleSettings(matcher=matcher.entry.fingerprint, options=options))
        self._unknown_kinds = UnknownKinds(require_kind=require_kind)

    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features.

        Args:
            pairs: Features of image 0 and image 1 of each pair; they may have no keypoints.

        Returns:
            One assignment per pair, in the same order, on the CPU.

        Raises:
            InvalidInput: If features have another kind or descriptor dimension, or lack the scales and orientations
                that the weights need.
        """
        entry = self.matcher.entry
        check_pairs(pairs, kind=entry.kind, descriptor_dim=entry.input_dim)
        self._unknown_kinds.check(pairs, entry.kind)
        inputs = [(self._inputs(features0), self._inputs(features1)) for features0, features1 in pairs]
        return [_to_assignment(self.matcher.match(*images)) for images in inputs]

    def _inputs(self, features: Features) -> ImageInputs:
        if not len(features):  # of any descriptor dimension, with or without scales
            zeros = np.zeros(0, np.float32)
            return ImageInputs(
                keypoints=zeros.reshape(0, 2),
                image_size=features.image_size,
                descriptors=np.zeros((0, self.matcher.entry.input_dim), np.float32),
                scales=zeros,
                orientations=zeros,
            )
        if self.matcher.entry.position_dim == 4 and (
            features.scales is None or features.orientations is None
        ):
            raise InvalidInput(
                "these LightGlue weights need keypoint scales and orientations, which the features do not have"
            )
        return ImageInputs(
            keypoints=_to_numpy(features.keypoints),
            image_size=features.image_size,
            descriptors=_to_numpy(features.descriptors),
            scales=None if features.scales is None else _to_numpy(features.scales),
            orientations=None if features.orientations is None else _to_numpy(features.orientations),
        )


def _to_assignment(outputs: PairOutputs) -> Assignment:
    matched = np.flatnonzero(outputs.matches0 >= 0)
    stopped_by: StoppedBy = outputs.stopped_by  # type: ignore[assignment]
    return Assignment(
        matches=torch.from_numpy(np.stack((matched, outputs.matches0[matched]), axis=1)),
        scores=torch.from_numpy(outputs.matching_scores0[matched]),
        matching_scores0=torch.from_numpy(outputs.matching_scores0),
        matching_scores1=torch.from_numpy(outputs.matching_scores1),
        prune0=torch.from_numpy(outputs.prune0),
        prune1=torch.from_numpy(outputs.prune1),
        layers_run=outputs.layers_run,
        stopped_by=stopped_by,
    )


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().contiguous().numpy()
