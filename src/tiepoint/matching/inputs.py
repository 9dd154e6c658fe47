"""Inputs and outputs of matchers: validated pairs of Features to network inputs, network outputs to Assignment."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import warn_once
from tiepoint.models.lightglue.inference import PairAssignment
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.types import Assignment, Features

logger = logging.getLogger(__name__)

LENGTH_TOLERANCE = 0.01
"""Largest difference of the length of a unit descriptor from 1; float16 rounds by less."""

FeaturePair = tuple[Features, Features]


@runtime_checkable
class PairMatcher(Protocol):
    """Interface of matchers.

    Attributes:
        fingerprint: Digest of everything that determines the matches of a pair of features.
    """

    fingerprint: str

    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features; results are identical to matching each pair on its own."""
        ...


def as_pairs(pairs: Iterable[FeaturePair]) -> list[FeaturePair]:
    """Return pairs of features as a list.

    Raises:
        InvalidInput: If a single pair was passed instead of a list.
    """
    items = [] if isinstance(pairs, Features) else list(pairs)
    if isinstance(pairs, Features) or any(isinstance(item, Features) for item in items):
        raise InvalidInput("expected a list of pairs; use match_features([(features0, features1)])")
    return items


def check_pairs(pairs: Sequence[object], *, kind: str = "", descriptor_dim: int | None = None) -> None:
    """Check that every pair of features can be matched: wrong features are an error, not zero matches.

    Args:
        pairs: Features of image 0 and image 1 of each pair.
        kind: Kind of features that the matcher accepts, in addition to the user's own (""); "" accepts any kind, equal
            within a pair.
        descriptor_dim: Descriptor dimension that the matcher accepts; None accepts any, equal within a pair. Features
            without keypoints may have any, because they have no matches.

    Raises:
        InvalidInput: If an item is not a pair of Features, or has another kind or descriptor dimension.
    """
    for number, pair in enumerate(pairs):
        features0, features1 = _as_pair(pair, number)
        for features in (features0, features1):
            _check_device(features)
            _check_kind(features, kind or features0.kind)
            if len(features):
                _check_dim(
                    features,
                    descriptor_dim or (features0 if len(features0) else features1).descriptors.shape[1],
                    kind,
                )


@dataclass(slots=True)
class UnknownKinds:
    """Features of unknown kind: a network matches any descriptors of its dimension, and finds nothing in others.

    Attributes:
        require_kind: Whether features of unknown kind are an error; otherwise a warning, once.
    """

    require_kind: bool = False
    _has_warned: bool = False

    def check(self, pairs: Sequence[FeaturePair], kind: str) -> None:
        """Check features for a network.

        Args:
            pairs: Valid pairs of features.
            kind: Kind that the network was trained for; "" allows any.

        Raises:
            InvalidInput: If a kind is unknown and required.
        """
        unknown = [features for pair in pairs for features in pair if not features.kind]
        if kind and unknown:
            self._report(unknown[0], f"the matcher was trained for {kind!r}")

    def check_mixed(self, pairs: Sequence[FeaturePair]) -> None:
        """Check that both images of a pair have a known kind, or neither.

        Args:
            pairs: Valid pairs of features.

        Raises:
            InvalidInput: If only one kind is unknown, and it is required.
        """
        for pair in pairs:
            first, second = sorted(pair, key=lambda features: features.kind)
            if second.kind and not first.kind:
                self._report(first, f"the other image has {second.kind!r}")

    def _report(self, features: Features, reason: str) -> None:
        message = (
            f"features{_of(features)} are of unknown kind, but {reason}; other descriptors find no correct matches. If "
            "they are of that kind, set it with dataclasses.replace(features, kind=...)"
        )
        if self.require_kind:
            raise InvalidInput(message)
        if not self._has_warned:
            logger.warning("%s", message)
        self._has_warned = True


def warn_about_lengths(pairs: Sequence[FeaturePair]) -> None:
    """Warn once about descriptors that do not have unit length, which networks for unit descriptors match badly.

    Args:
        pairs: Valid pairs of features; those with the fingerprint of an extractor are not checked.
    """
    for features in (features for pair in pairs for features in pair):
        if features.fingerprint or not len(features):
            continue
        lengths = features.descriptors.float().square().sum(dim=1).sqrt()
        shortest, longest = float(lengths.amin()), float(lengths.amax())
        if shortest < 1 - LENGTH_TOLERANCE or longest > 1 + LENGTH_TOLERANCE:
            warn_once(
                "descriptor lengths",
                f"descriptors{_of(features)} have lengths between {shortest:.3g} and {longest:.3g}, but the matcher was "
                "trained for unit length; normalize them: Features.from_arrays(..., normalize='l2')",
            )


def network_positions(features: Features, shape: LightGlueShape) -> Float[Tensor, "n p"]:
    """Compute the positions that LightGlue encodes: normalized keypoints, with scale and orientation if needed.

    Args:
        features: Features of one image.
        shape: Shape of the network: normalization, and number of values per keypoint that it encodes: 2, or 4 with
            scale and orientation.

    Raises:
        InvalidInput: If the network expects other values, or the features have no scales and orientations.
    """
    position_dim = shape.position_dim
    positions = shape.normalize(features.keypoints, features.keypoints.new_tensor(features.image_size))
    if position_dim == 2:
        return positions
    if position_dim != 4:
        raise InvalidInput(
            f"unsupported positional encoding of {position_dim} values per keypoint; Features provide 2 (x, y) or 4 "
            "(plus scale and orientation); use the network in tiepoint.models directly"
        )
    if not len(features):
        return positions.new_zeros(0, position_dim)
    if features.scales is None or features.orientations is None:
        raise InvalidInput(
            f"these LightGlue weights need keypoint scales and orientations, which features{_of(features)} do not have"
        )
    frame = torch.stack((features.scales, features.orientations), dim=1)
    return torch.cat((positions, frame.float()), dim=1)


def to_assignment(result: PairAssignment) -> Assignment:
    """List the matches by ascending index of image 0, and copy all tensors to the CPU."""
    matches0 = result.assignment.matches0.cpu()
    scores0, scores1 = result.assignment.matching_scores0.cpu(), result.assignment.matching_scores1.cpu()
    matched = (matches0 >= 0).nonzero().squeeze(1)
    return Assignment(
        matches=torch.stack((matched, matches0[matched]), dim=1),
        scores=scores0[matched],
        matching_scores0=scores0,
        matching_scores1=scores1,
        prune0=result.prune0.cpu(),
        prune1=result.prune1.cpu(),
        layers_run=result.layers_run,
        stopped_by=result.stopped_by,
    )


def _as_pair(pair: object, number: int) -> FeaturePair:
    items = _items(pair)
    if len(items) == 2 and isinstance(items[0], Features) and isinstance(items[1], Features):
        return items[0], items[1]
    raise InvalidInput(
        f"pair {number}: expected (features0, features1), got {_describe(pair)}; "
        "extract features with matcher.extract(image)"
    )


def _items(value: object) -> Sequence[object]:
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    return cast(Sequence[object], value) if is_sequence else ()


def _describe(pair: object) -> str:
    names = [type(item).__name__ for item in _items(pair)]
    return f"({', '.join(names)})" if names else type(pair).__name__


def _check_device(features: Features) -> None:
    if features.device.type == "meta":
        raise InvalidInput(
            f"features{_of(features)} are on device 'meta', which holds no values; extract them on another device"
        )


def _check_kind(features: Features, expected: str) -> None:
    if features.kind and expected and features.kind != expected:
        raise InvalidInput(
            f"features{_of(features)}: expected kind {expected!r}, got {features.kind!r}; "
            "extract both images with the preset of the matcher"
        )


def _check_dim(features: Features, expected: int, kind: str) -> None:
    dim = features.descriptors.shape[1]
    if dim != expected:
        raise InvalidInput(
            f"features{_of(features)}: expected descriptors of dimension {expected}"
            f"{f' (matcher for {kind!r})' if kind else ''}, got {dim}; extract them with the preset of the matcher"
        )


def _of(features: Features) -> str:
    return f" of {features.source}" if features.source else ""
