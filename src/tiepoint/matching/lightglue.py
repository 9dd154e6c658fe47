"""LightGlue as a matcher of Features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.config import fingerprint
from tiepoint.matching.batching import BatchSize, choose_limits, packs
from tiepoint.matching.compatibility import FeaturePair, check_pairs
from tiepoint.matching.inputs import as_matches, as_positions
from tiepoint.models.device import to_device
from tiepoint.models.lightglue.inference import AdaptiveInference, match_packed
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.types import Assignment, Features


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGlueSettings:
    """Everything that decides which matches a pair of features gives.

    Attributes:
        kind: of the features that the weights were trained for, or are known to work with; "" = any.
        weights: name and digest of the weights.
        adaptivity: when to stop, and which keypoints to drop; nothing in it is left to the device.
        filter_threshold: a match has a score above this, in [0, 1].
        dtype: in which the network computes.
    """

    kind: str = ""
    weights: str = ""
    adaptivity: AdaptiveInference
    filter_threshold: float = 0.1
    dtype: str = "float32"


class LightGlueMatcher:
    """Match any number of pairs; each gives what it gives alone.

    Args:
        network: on the device where it shall run.
        kind: of the features that the weights were trained for, or are known to work with; "" = any.
        adaptivity: when to stop, and which keypoints to drop.
        filter_threshold: a match has a score above this, in [0, 1].
        weights: name and digest of the weights, for the fingerprint.
        batch_size: pairs computed together; "auto": as many as pay, and fit into the budget.
        memory_budget: bytes that computing may take beside the weights; None: see `packs.choose_limits`.

    Raises:
        InvalidInput: a batch size or a budget that isn't a whole number above 0.
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
    ) -> None:
        self.network = network.eval()
        self.settings = LightGlueSettings(
            kind=kind,
            weights=weights,
            adaptivity=(adaptivity or AdaptiveInference()).on(self.device),
            filter_threshold=filter_threshold,
            dtype=str(network.dtype).removeprefix("torch."),
        )
        self.fingerprint = fingerprint(self.settings)
        self.limits = choose_limits(batch_size, memory_budget, network.shape, self.device)

    @property
    def device(self) -> torch.device:
        """Where the network runs; features are brought there."""
        return self.network.posenc.Wr.weight.device

    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features.

        Args:
            pairs: features of image 0 and of image 1; 0 keypoints are fine.

        Returns:
            One result a pair, in the same order; its tensors lie on the CPU.

        Raises:
            InvalidInput: features of another kind, dimension, or without the scales and orientations that the
                weights need; a pair too large for the memory budget.
        """
        check_pairs(pairs, kind=self.settings.kind, descriptor_dim=self.network.shape.input_dim)
        sizes = [len(features0) + len(features1) for features0, features1 in pairs]
        return [matches for pack in packs(sizes, self.limits) for matches in self._match_pack(pairs[pack])]

    @torch.inference_mode()
    def _match_pack(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        images = [features for pair in pairs for features in pair]
        found = match_packed(
            self.network,
            self._together([self._positions(features) for features in images]),
            self._together([features.descriptors for features in images]),
            [(len(features0), len(features1)) for features0, features1 in pairs],
            adaptivity=self.settings.adaptivity,
            filter_threshold=self.settings.filter_threshold,
        )
        return [as_matches(*pair) for pair in found]

    def _together(self, parts: list[Tensor]) -> Tensor:
        """One tensor on the network's device, uploaded at once where all parts lie on the CPU."""
        if all(part.device.type == "cpu" for part in parts):
            return to_device(torch.cat(parts), self.device)
        return torch.cat([part.to(self.device) for part in parts])

    def _positions(self, features: Features) -> Float[Tensor, "n p"]:
        dim = self.network.shape.position_dim
        if dim not in (2, 4):
            raise InvalidInput(
                f"these LightGlue weights take {dim} numbers a position, but Features "
                "hold 2 (x, y) or 4 (and scale, orientation); call the network in tiepoint.models directly"
            )
        if dim == 4 and (features.scales is None or features.orientations is None):
            raise InvalidInput(
                "these LightGlue weights need keypoint scales and orientations, which the features lack"
            )
        return as_positions(features, oriented=dim == 4)
