"""LightGlue as a matcher of Features."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.io.config import fingerprint
from tiepoint.io.validation import check_integer, check_number
from tiepoint.matching.batching import choose_limits, split_batches
from tiepoint.matching.inputs import (
    FeaturePair,
    UnknownKinds,
    check_pairs,
    network_positions,
    to_assignment,
    warn_about_lengths,
)
from tiepoint.matching.latency.budget import PairClock
from tiepoint.matching.top_k import select_top_k, to_original
from tiepoint.models.device import to_device
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import AdaptiveInference, match_batch
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.precision import ordinary_inference
from tiepoint.types import Assignment, Features
from tiepoint.types.options import BatchSize


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGlueSettings:
    """Everything that determines the matches of a pair of features.

    Attributes:
        kind: Kind of features for which the weights were trained or are known to work; "" accepts any.
        weights: Name and digest of the weights.
        adaptivity: Thresholds of early stopping and pruning, with no value left to the device.
        filter_threshold: Minimum match score (exclusive), in [0, 1].
        dtype: Floating-point type of the network.
        max_layers: Maximum number of layers to run; None runs all of the network.
    """

    kind: str = ""
    weights: str = ""
    adaptivity: AdaptiveInference
    filter_threshold: float = 0.1
    dtype: str = "float32"
    max_layers: int | None = None


class BatchInputs(TypedDict):
    """Arguments of `match_batch` that every batch has."""

    positions: Tensor
    descriptors: Tensor
    counts: list[tuple[int, int]]
    adaptivity: AdaptiveInference
    filter_threshold: float


class LightGlueMatcher:
    """Match any number of pairs in batches; results are identical to matching each pair on its own.

    Args:
        network: Network on its final device and in its final dtype. It is set to evaluation mode and fused here, so
            later changes of its weights have no effect.
        kind: Kind of features for which the weights were trained or are known to work; "" accepts any.
        adaptivity: Thresholds of early stopping and pruning; None for the published ones.
        filter_threshold: Minimum match score (exclusive), in [0, 1].
        weights: Name and digest of the weights, for the fingerprint.
        batch_size: Number of pairs per batch; "auto" uses the token budget of the device.
        memory_budget: Maximum memory in bytes, without the weights; None means no limit on a CPU and half of the free
            memory on a GPU.
        require_kind: Whether features of unknown kind are an error; otherwise a warning, once.
        max_layers: Maximum number of layers to run; None runs all.
        unit_descriptors: Whether the network was trained for descriptors of unit length; others are a warning, once.

    Raises:
        InvalidInput: If `batch_size`, `memory_budget` or `max_layers` is not a positive integer, or `filter_threshold`
            is outside [0, 1].
    """

    def __init__(
        self,
        network: LightGlue,
        *,
        kind: str = "",
        adaptivity: AdaptiveInference | None = None,
        filter_threshold: float = 0.1,
        weights: str = "",
        batch_size: BatchSize = "auto",
        memory_budget: int | None = None,
        require_kind: bool = False,
        max_layers: int | None = None,
        unit_descriptors: bool = True,
    ) -> None:
        self.network = network.eval()
        self.unit_descriptors = unit_descriptors
        self.settings = LightGlueSettings(
            kind=kind,
            weights=weights,
            adaptivity=(adaptivity or AdaptiveInference())
            .supported_by(network.shape)
            .for_device(self.device),
            filter_threshold=check_number("filter_threshold", filter_threshold, 0, 1),
            dtype=str(network.dtype).removeprefix("torch."),
            max_layers=_checked_layers(max_layers, network),
        )
        self.fingerprint = fingerprint(self.settings)
        self.limits = choose_limits(batch_size, memory_budget, network.shape, self.device)
        self._fused_network = fuse(self.network)
        self._unknown_kinds = UnknownKinds(require_kind=require_kind)

    @property
    def device(self) -> torch.device:
        """Device of the network; features are copied to it."""
        return self.network.device

    @ordinary_inference()
    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features.

        Args:
            pairs: Features of image 0 and image 1 of each pair; they may have no keypoints.

        Returns:
            One assignment per pair, in the same order, on the CPU.

        Raises:
            InvalidInput: If features have another kind or descriptor dimension, or lack the scales and orientations
                that the weights need, or if a pair exceeds the memory budget.
        """
        self._check(pairs)
        assignments: list[Assignment] = []
        for batch in split_batches([len(pair[0]) + len(pair[1]) for pair in pairs], self.limits):
            inputs = self._batch_inputs(pairs[batch])
            results = match_batch(self._fused_network, **inputs, max_layers=self.settings.max_layers)
            assignments += [to_assignment(result) for result in results]
        return assignments

    @ordinary_inference()
    def match_within(self, pair: FeaturePair, clock: PairClock) -> Assignment:
        """Match a pair with the keypoints and layers for which the clock has time.

        Args:
            pair: Features of image 0 and image 1.
            clock: Clock of the pair.

        Raises:
            InvalidInput: For the same reasons as in `match`.
        """
        self._check([pair])
        plan = clock.plan_matching((len(pair[0]), len(pair[1])))
        (features0, indices0), (features1, indices1) = (
            select_top_k(features, plan.max_keypoints) for features in pair
        )
        (_,) = split_batches([len(features0) + len(features1)], self.limits)  # checks the memory budget
        inputs = self._batch_inputs([(features0, features1)])
        (result,) = match_batch(self._fused_network, **inputs, max_layers=plan.max_layers, clock=clock)
        if result.stopped_by == "max_layers" and plan.max_layers < self.max_layers:
            result = result._replace(stopped_by="latency_budget")
        return to_original(to_assignment(result), (indices0, indices1), pair)

    @property
    def max_layers(self) -> int:
        """Maximum number of layers that run."""
        return self.settings.max_layers or self.network.shape.layers

    def variant(self, *, adaptivity: AdaptiveInference, max_layers: int | None) -> "LightGlueMatcher":
        """Return a matcher that shares the network, with other adaptivity and another number of layers.

        Args:
            adaptivity: Thresholds of early stopping and pruning.
            max_layers: Maximum number of layers to run; None runs all.

        Raises:
            InvalidInput: If `max_layers` is not a positive integer.
        """
        other = copy.copy(self)
        other.settings = replace(
            self.settings,
            adaptivity=adaptivity.supported_by(self.network.shape).for_device(self.device),
            max_layers=_checked_layers(max_layers, self.network),
        )
        other.fingerprint = fingerprint(other.settings)
        return other

    def _check(self, pairs: Sequence[FeaturePair]) -> None:
        check_pairs(pairs, kind=self.settings.kind, descriptor_dim=self.network.shape.input_dim)
        self._unknown_kinds.check(pairs, self.settings.kind)
        if self.unit_descriptors:
            warn_about_lengths(pairs)

    def _batch_inputs(self, pairs: Sequence[FeaturePair]) -> BatchInputs:
        """Concatenate the images of a batch on the network's device, and add the settings."""
        images = [features for pair in pairs for features in pair]
        positions = [network_positions(features, self.network.shape) for features in images]
        return BatchInputs(
            positions=self._concatenate(positions),
            descriptors=self._concatenate([self._descriptors(features) for features in images]),
            counts=[(len(features0), len(features1)) for features0, features1 in pairs],
            adaptivity=self.settings.adaptivity,
            filter_threshold=self.settings.filter_threshold,
        )

    def _descriptors(self, features: Features) -> Float[Tensor, "n d"]:
        """Descriptors; without keypoints, features may have another dimension."""
        dim = self.network.shape.input_dim
        return features.descriptors if len(features) else features.descriptors.new_zeros(0, dim)

    def _concatenate(self, parts: list[Tensor]) -> Tensor:
        if all(part.device.type == "cpu" for part in parts):
            return to_device(torch.cat(parts), self.device)
        return torch.cat([part.to(self.device) for part in parts])


def _checked_layers(max_layers: int | None, network: LightGlue) -> int | None:
    """Return a valid maximum; None if it is no less than the number of layers of the network."""
    if max_layers is None:
        return None
    max_layers = check_integer("max_layers", max_layers, 1, alternative="None")
    return max_layers if max_layers < network.shape.layers else None
