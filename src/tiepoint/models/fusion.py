"""The inference form of detectors, and a cache of the inference form of a network whose weights may change."""

from collections.abc import Callable
from itertools import chain
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from tiepoint.models.aliked.fused_network import fuse as fuse_aliked
from tiepoint.models.aliked.network import ALIKED
from tiepoint.models.batch_norm import fold_batch_norms
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe
from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.descriptor import Descriptor
from tiepoint.models.detector import Detector
from tiepoint.models.raco import RaCo

Network = TypeVar("Network", bound=nn.Module)


def fuse_detector(network: nn.Module) -> nn.Module:
    """Return the inference form of a detector.

    Args:
        network: Network in evaluation mode, on its final device and in its final dtype.

    Returns:
        A network that computes the same function faster and does not follow later changes of all weights; detectors
        without another inference form are returned unchanged.
    """
    if isinstance(network, DescribedDetector):
        fused = (fuse_detector(part) for part in (network.detector, network.descriptor))
        return DescribedDetector(*cast(tuple[Detector, Descriptor], tuple(fused))).eval()
    if isinstance(network, RaCo | DaD | DeDoDe):
        return fold_batch_norms(network)
    return fuse_aliked(network) if type(network) is ALIKED else network


class FusionCache(Generic[Network]):
    """The fused form of a network whose weights may change, for example because it is still in training.

    Args:
        fuse: Function from a network to its inference form.
    """

    def __init__(self, fuse: Callable[[Network], Network]) -> None:
        self._fuse = fuse
        self._network: Network | None = None
        self._fused: Network | None = None
        self._versions: list[tuple[int, torch.dtype, int]] = []

    def fuse(self, network: Network) -> Network:
        """Return the fused network, fused again if a weight was replaced, moved, cast or written to since.

        Args:
            network: Network to fuse. Writing to `parameter.data` is not detected.
        """
        versions = [_version(tensor) for tensor in chain(network.parameters(), network.buffers())]
        if self._fused is None or network is not self._network or versions != self._versions:
            self._network, self._fused, self._versions = network, self._fuse(network), versions
        return self._fused


def _version(tensor: Tensor) -> tuple[int, torch.dtype, int]:
    return tensor.data_ptr(), tensor.dtype, 0 if tensor.is_inference() else tensor._version
