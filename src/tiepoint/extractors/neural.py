"""A detector network as an extractor: image -> Features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tiepoint.config import fingerprint
from tiepoint.image import Image, ImageTransform
from tiepoint.networks.aliked import ALIKED, ALIKED_VARIANTS
from tiepoint.networks.disk import DISK, DISKConfig
from tiepoint.networks.loading import load_strictly
from tiepoint.networks.superpoint_convert import build as build_superpoint
from tiepoint.types import Features

State = Mapping[str, Tensor]
Make = Callable[[], nn.Module]


def _filled(name: str, make: Make) -> Callable[[State], nn.Module]:
    """What turns tensors into the network that `make` makes without weights."""

    def build(state: State) -> nn.Module:
        with torch.device("meta"):
            network = make()
        load_strictly(network, state, name)
        return network.eval()

    return build


NETWORKS: dict[str, Callable[[State], nn.Module]] = {
    "aliked-t16": _filled("aliked-t16", lambda: ALIKED(ALIKED_VARIANTS["t16"])),
    "aliked-n16": _filled("aliked-n16", lambda: ALIKED(ALIKED_VARIANTS["n16"])),
    "aliked-n16rot": _filled("aliked-n16rot", lambda: ALIKED(ALIKED_VARIANTS["n16rot"])),
    "aliked-n32": _filled("aliked-n32", lambda: ALIKED(ALIKED_VARIANTS["n32"])),
    "disk": _filled("disk", lambda: DISK(DISKConfig())),
    "superpoint": build_superpoint,
    "superpoint-open": build_superpoint,
}
"""Name of an extractor -> what makes its network from the tensors of a checkpoint, strictly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSettings:
    """Everything that decides which features an image gives.

    Attributes:
        kind: descriptor family and digest of its weights.
        max_keypoints: the strongest are kept; None: all.
        resize: longer side in px of the image that the network sees, upwards too; None: as it is.
        detection_threshold: a keypoint scores above this.
    """

    kind: str
    max_keypoints: int | None = 2048
    resize: int | None = 1024
    detection_threshold: float = 0.0


def build_network(name: str, state: State) -> nn.Module:
    """Make the network of an extractor and fill it, strictly.

    Args:
        name: key of `NETWORKS`.
        state: all of its tensors.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape.
    """
    return NETWORKS[name](state)


class NeuralExtractor:
    """Run a detector network over images.

    Args:
        network: takes (b, 3, h, w) in [0, 1], gives one `Detection` an image; on the device where it shall run.
        settings: see `ExtractionSettings`.
    """

    def __init__(self, network: nn.Module, settings: ExtractionSettings) -> None:
        self.network = network.eval()
        self.settings = settings
        self.fingerprint = fingerprint(settings)

    @property
    def device(self) -> torch.device:
        """Where the network runs, and where features lie."""
        return next(self.network.parameters()).device

    @property
    def descriptor_dim(self) -> int:
        """Columns of the descriptors."""
        return self.network.descriptor_dim  # type: ignore[return-value]

    @torch.no_grad()
    def extract(self, image: Image) -> Features:
        """Detect and describe keypoints.

        Args:
            image: see `tiepoint.image.read_image`.

        Returns:
            Features by falling score, in px of the original image; none where nothing stands out.
        """
        transform = ImageTransform.fit(image.image_size, self.settings.resize)
        pixels = transform.apply(image).to(self.device)
        (detection,) = self.network(
            pixels[None],
            max_keypoints=self.settings.max_keypoints,
            detection_threshold=self.settings.detection_threshold,
        )
        return Features(
            keypoints=transform.to_original(detection.keypoints),
            scores=detection.scores,
            descriptors=detection.descriptors,
            image_size=image.image_size,
            kind=self.settings.kind,
            fingerprint=self.fingerprint,
            source=image.source,
            exif_orientation=image.exif_orientation,
        )
