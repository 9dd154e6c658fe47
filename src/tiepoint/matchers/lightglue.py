"""LightGlue as a matcher of Features."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.matchers.compatibility import Pair, check_pairs
from tiepoint.matchers.conversion import as_matches
from tiepoint.networks.lightglue import LightGlue, normalize_keypoints
from tiepoint.networks.lightglue_adaptive import Adaptivity, match_packed
from tiepoint.types import Features, Matches

PACK_TOKENS = 1 << 15
"""Keypoints that are computed together: 16,384 of each image, or 8 pairs of 2,048."""


class LightGlueMatcher:
    """Match any number of pairs; each gives what it gives alone.

    Args:
        network: on the device where it shall run.
        kind: of the features that the weights were trained for, or are known to work with; "" = any.
        adaptivity: when to stop, and which keypoints to drop.
        filter_threshold: a match has a score above this, in [0, 1].
    """

    def __init__(
        self,
        network: LightGlue,
        *,
        kind: str = "",
        adaptivity: Adaptivity | None = None,
        filter_threshold: float = 0.1,
    ) -> None:
        self.network = network.eval()
        self.kind = kind
        self.adaptivity = adaptivity or Adaptivity()
        self.filter_threshold = filter_threshold

    @property
    def device(self) -> torch.device:
        """Where the network runs; features are brought there."""
        return self.network.posenc.Wr.weight.device

    def match(self, pairs: Sequence[Pair]) -> list[Matches]:
        """Match pairs of features.

        Args:
            pairs: features of image 0 and of image 1; 0 keypoints are fine.

        Returns:
            One result a pair, in the same order; its tensors lie on the CPU.

        Raises:
            InvalidInput: features of another kind, dimension, or without the scales and orientations that the
                weights need.
        """
        check_pairs(pairs, kind=self.kind, descriptor_dim=self.network.shape.input_dim)
        return [matches for pack in _packs(pairs) for matches in self._match_pack(pack)]

    @torch.inference_mode()
    def _match_pack(self, pairs: list[Pair]) -> list[Matches]:
        images = [features.to(self.device) for pair in pairs for features in pair]
        found = match_packed(
            self.network,
            torch.cat([self._positions(features) for features in images]),
            torch.cat([features.descriptors for features in images]),
            [(len(features0), len(features1)) for features0, features1 in pairs],
            adaptivity=self.adaptivity,
            filter_threshold=self.filter_threshold,
        )
        return [as_matches(*pair) for pair in found]

    def _positions(self, features: Features) -> Float[Tensor, "n p"]:
        size = features.keypoints.new_tensor(features.image_size)
        positions = normalize_keypoints(features.keypoints, size)
        if self.network.shape.position_dim == 2:
            return positions
        if self.network.shape.position_dim != 4:
            raise InvalidInput(
                f"these LightGlue weights take {self.network.shape.position_dim} numbers a position, but Features "
                "hold 2 (x, y) or 4 (and scale, orientation); call the network in tiepoint.networks directly"
            )
        if features.scales is None or features.orientations is None:
            raise InvalidInput(
                "these LightGlue weights need keypoint scales and orientations, which the features lack"
            )
        return torch.cat(
            (positions, features.scales[:, None].float(), features.orientations[:, None].float()), dim=1
        )


def _packs(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Cut the work into packs of at most `PACK_TOKENS` keypoints, at least one pair each."""
    pack: list[Pair] = []
    tokens = 0
    for pair in pairs:
        size = len(pair[0]) + len(pair[1])
        if pack and tokens + size > PACK_TOKENS:
            yield pack
            pack, tokens = [], 0
        pack.append(pair)
        tokens += size
    if pack:
        yield pack
