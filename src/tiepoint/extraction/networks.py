"""NETWORKS: extractor -> function that builds its network from checkpoints."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.dedode.checkpoint import LOMA, LOMA_B128, build_dad, build_dedode, build_loma
from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.descriptor import Descriptor
from tiepoint.models.detector import Detector
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.raco import build as build_raco
from tiepoint.models.superpoint.checkpoint import build as build_superpoint
from tiepoint.models.xfeat import build as build_xfeat

State = Mapping[str, Tensor]


def _strict_builder(name: str, make_network: Callable[[], Detector]) -> Callable[[State], Detector]:
    def build(state: State) -> Detector:
        with torch.device("meta"):
            network = make_network()
        load_strictly(network, state, name)
        return network.eval()

    return build


_DETECTORS: dict[str, Callable[[State], Detector]] = {
    "aliked-t16": _strict_builder("aliked-t16", lambda: ALIKED(ALIKED_VARIANTS["t16"])),
    "aliked-n16": _strict_builder("aliked-n16", lambda: ALIKED(ALIKED_VARIANTS["n16"])),
    "aliked-n16rot": _strict_builder("aliked-n16rot", lambda: ALIKED(ALIKED_VARIANTS["n16rot"])),
    "aliked-n32": _strict_builder("aliked-n32", lambda: ALIKED(ALIKED_VARIANTS["n32"])),
    "disk": _strict_builder("disk", lambda: DISK(DISKConfig())),
    "superpoint": build_superpoint,
    "superpoint-open": build_superpoint,
    "xfeat": build_xfeat,
}

PARTS: dict[str, Callable[[State], Descriptor]] = {
    **_DETECTORS,
    "raco": build_raco,
    "dad": build_dad,
    "dedode-b": build_dedode,
}
"""Name in `WEIGHTS` -> function that builds the network of that file, strictly."""

NETWORKS: dict[str, Callable[..., Detector]] = {
    **_DETECTORS,
    "raco-aliked": lambda raco, aliked: DescribedDetector(build_raco(raco), _DETECTORS["aliked-n16"](aliked)),
    "dad-dedode-b": lambda dad, dedode: DescribedDetector(build_dad(dad), build_dedode(dedode)),
    "loma-b128": lambda file: build_loma(file, LOMA_B128),
    "loma-b": lambda file: build_loma(file, LOMA),
}
"""Extractor name -> function that builds the network, strictly, from the tensors of each of its weights files
(`tiepoint.presets.EXTRACTOR_WEIGHTS`)."""


def build_network(name: str, *states: State) -> Detector:
    """Build the network of an extractor and load its weights, strictly.

    Args:
        name: Key of `NETWORKS`.
        *states: All tensors by name: of each weights file, in the order of `tiepoint.presets.EXTRACTOR_WEIGHTS`.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    return NETWORKS[name](*states).eval()
