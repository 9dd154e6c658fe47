"""A detector network as an extractor: image -> Features."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from tiepoint.extraction.masks import allowed_at, mask_digest, resized_mask, with_border
from tiepoint.extraction.tile_grid import Tiling, tile_side, tiles_of
from tiepoint.extraction.tiled_detector import TiledDetector, TileNetwork
from tiepoint.image import Image, ImageTransform
from tiepoint.io.config import fingerprint
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.checkpoint import build as build_superpoint
from tiepoint.types import Features

logger = logging.getLogger(__name__)

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
        border: px of the original image along each side that have no keypoints.
        tile: see `tiepoint.extraction.tile_grid.Tiling`; px of the image that the network sees.
    """

    kind: str
    max_keypoints: int | None = 2048
    resize: int | None = 1024
    detection_threshold: float = 0.0
    border: int = 0
    tile: Tiling = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedExtraction:
    """What decides which features an image with a mask gives; the mask by its digest."""

    settings: ExtractionSettings
    mask: str


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
    def extract(self, image: Image, mask: Bool[Tensor, "h w"] | None = None) -> Features:
        """Detect and describe keypoints.

        Args:
            image: see `tiepoint.image.read_image`.
            mask: True where keypoints may lie, in px of the image; see `tiepoint.extraction.masks.read_mask`.

        Returns:
            Features by falling score, in px of the original image; none where nothing stands out.
        """
        transform = ImageTransform.fit(image.image_size, self.settings.resize)
        allowed = with_border(mask, image.image_size, self.settings.border)
        if allowed is not None and not allowed.any():
            logger.warning("mask and border leave no pixel of %s: no keypoints", image.source or "the image")
        found = self._detect(image, transform, None if allowed is None else resized_mask(allowed, transform))
        keypoints = transform.to_original(found.keypoints)
        inside = slice(None) if allowed is None else allowed_at(allowed, keypoints)
        return Features(
            keypoints=keypoints[inside],
            scores=found.scores[inside],
            descriptors=found.descriptors[inside],
            image_size=image.image_size,
            kind=self.settings.kind,
            fingerprint=self.fingerprint_with(mask),
            source=image.source,
            exif_orientation=image.exif_orientation,
        )

    def fingerprint_with(self, mask: Bool[Tensor, "h w"] | None) -> str:
        """The fingerprint of features that are extracted with this mask."""
        if mask is None:
            return self.fingerprint
        return fingerprint(MaskedExtraction(settings=self.settings, mask=mask_digest(mask)))

    def _detect(self, image: Image, transform: ImageTransform, mask: Tensor | None) -> Detection:
        """In px of the resized image."""
        side = self._tile_side(transform.resized_size)
        if side is not None:
            return self._detect_in_tiles(image, transform, mask, side)
        pixels = transform.apply(image).to(self.device)
        masks = {} if mask is None else {"masks": mask[None].to(self.device)}
        (detection,) = self.network(
            pixels[None],
            max_keypoints=self.settings.max_keypoints,
            detection_threshold=self.settings.detection_threshold,
            **masks,
        )
        return detection

    def _tile_side(self, image_size: tuple[int, int]) -> int | None:
        if self.settings.tile is None:
            return None
        return tile_side(self.settings.tile, image_size, cast(TileNetwork, self.network).bytes_per_pixel)

    def _detect_in_tiles(
        self, image: Image, transform: ImageTransform, mask: Tensor | None, side: int
    ) -> Detection:
        network = cast(TileNetwork, self.network)
        if (
            transform.resized_size != image.image_size
        ):  # else tiles are cut from the bytes, a quarter of the memory
            image = Image(pixels=transform.apply(image))
        detector = TiledDetector(
            network,
            device=self.device,
            max_keypoints=self.settings.max_keypoints,
            detection_threshold=self.settings.detection_threshold,
        )
        origin = network.grid_origin(image.image_size)
        return detector.detect(
            image, tiles_of(image.image_size, side, stride=network.stride, origin=origin), mask
        )
