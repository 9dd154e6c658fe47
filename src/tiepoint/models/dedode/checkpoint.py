"""Checkpoint -> DaD, DeDoDe, or both out of LoMa's file, strictly."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.dedode.dinov2 import DINOv2Sizes
from tiepoint.models.described_detector import DescribedDetector

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)

LOMA_DETECTOR, LOMA_DESCRIPTOR = "_detector.", "_descriptor."
"""Prefixes in LoMa's files, which contain all three networks."""

LOMA_B128 = DeDoDeConfig(dim=128, normalize_images=False, unit_length=False)
LOMA = DeDoDeConfig(dinov2=DINOv2Sizes(), normalize_images=False, unit_length=False)
"""Descriptors of LoMa-B, R, L and G."""


def build_dad(state: State, network: DaD | None = None) -> DaD:
    """Build DaD from its checkpoint, in evaluation mode.

    Args:
        state: Tensors of the published file.
        network: Network to fill, possibly on the meta device; None means the published sizes.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    if network is None:
        with torch.device("meta"):
            network = DaD()
    return _fill(network, state, "DaD")


def build_dedode(state: State, config: DeDoDeConfig | None = None) -> DeDoDe:
    """Build DeDoDe from its checkpoint, in evaluation mode.

    Args:
        state: Tensors of the published file.
        config: Sizes and conventions; None means those of DeDoDe-B.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    config = config or DeDoDeConfig()
    with torch.device("meta"):
        network = DeDoDe(config)
    return _fill(network, state, "DeDoDe-B" if config.dinov2 is None else "DeDoDe-G")


def build_loma(state: State, config: DeDoDeConfig, detector: DaD | None = None) -> DescribedDetector:
    """Build LoMa's features from its file: DaD's keypoints with descriptors by DeDoDe.

    Args:
        state: Tensors of the file; those of the matcher are ignored.
        config: Sizes and conventions of the descriptors.
        detector: Detector to fill, possibly on the meta device; None means the published sizes.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    dad = build_dad(_part(state, LOMA_DETECTOR), detector)
    return DescribedDetector(dad, build_dedode(_part(state, LOMA_DESCRIPTOR), config)).eval()


def _part(state: State, prefix: str) -> dict[str, Tensor]:
    part = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    if not part:
        raise WeightsError(
            f"expected LoMa's file, with tensors {prefix}* next to those of the matcher, got none; pass the file of its "
            "authors, such as loma_B128.pth, also as extractor_weights"
        )
    return part


def _fill(network: Network, state: State, what: str) -> Network:
    load_strictly(network, {name: _in_float32(tensor) for name, tensor in state.items()}, what)
    return network.eval()


def _in_float32(tensor: Tensor) -> Tensor:
    """Convert half precision, in which LoMa's files keep DINOv2."""
    return tensor.float() if tensor.is_floating_point() else tensor
