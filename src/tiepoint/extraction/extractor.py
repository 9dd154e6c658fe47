"""Feature extraction with a detector network: image -> Features."""

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.extraction.masks import allowed_at, exclude_border, mask_digest, resize_mask
from tiepoint.extraction.tile_grid import check_tiling, split_into_tiles, tile_side
from tiepoint.extraction.tiled_detector import TiledDetector
from tiepoint.image import Image, ImageTransform
from tiepoint.image.stretch import check_stretch
from tiepoint.io.config import fingerprint
from tiepoint.io.validation import check_integer
from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.detector import Detector
from tiepoint.models.fusion import fuse_detector
from tiepoint.models.keypoints import Detection
from tiepoint.models.precision import ordinary_inference
from tiepoint.models.raco import RaCo
from tiepoint.types import Features
from tiepoint.types.options import Stretch, Tiling

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSettings:
    """Settings that determine the features of an image.

    Attributes:
        kind: Descriptor family and digest of its weights.
        max_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
        resize: Longer side in px of the network's input; None keeps the original size.
        upscale: Enlarge images whose longer side is below `resize`.
        detection_threshold: Minimum score (exclusive) of a keypoint.
        border: Width in px of the border of the original image in which keypoints are ignored.
        tile: Maximum tile side in px of the network's input; "auto" tiles only images that would exceed the memory
            limit; None never tiles.
        stretch: Percentile stretch of the image, applied when it is read (`tiepoint.read_image`).

    Raises:
        InvalidInput: If a value is invalid.
    """

    kind: str
    max_keypoints: int | None = 2048
    resize: int | None = 1024
    upscale: bool = True
    detection_threshold: float = 0.0
    border: int = 0
    tile: Tiling = None
    stretch: Stretch = None

    def __post_init__(self) -> None:
        if self.max_keypoints is not None:
            max_keypoints = check_integer("max_keypoints", self.max_keypoints, 1, alternative="None")
            object.__setattr__(self, "max_keypoints", max_keypoints)
        if self.resize is not None:
            object.__setattr__(self, "resize", check_integer("resize", self.resize, 1, alternative="None"))
        object.__setattr__(self, "border", check_integer("border", self.border, 0))
        object.__setattr__(self, "tile", check_tiling(self.tile))
        object.__setattr__(self, "stretch", check_stretch(self.stretch))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedExtraction:
    """Settings that determine the features of an image with a mask.

    Attributes:
        settings: Settings without the mask.
        mask: Digest of the mask.
    """

    settings: ExtractionSettings
    mask: str


class NeuralExtractor:
    """Extract features with a detector network.

    Args:
        network: Network that maps images (b, 3, h, w) in [0, 1] to one `Detection` per image, usually a `Detector`
            (tiling requires one); on the device where it runs.
        settings: Settings of the extraction.
    """

    def __init__(self, network: nn.Module, settings: ExtractionSettings) -> None:
        self.network = network.eval()
        self.settings = settings
        self.fingerprint = fingerprint(settings)

    @cached_property
    def inference_network(self) -> nn.Module:
        """The network that runs: fused, it does not follow later changes of the weights of `network`."""
        return fuse_detector(self.network)

    def with_settings(self, settings: ExtractionSettings) -> "NeuralExtractor":
        """Return an extractor with the same network and other settings."""
        extractor = NeuralExtractor(self.network, settings)
        extractor.inference_network = self.inference_network
        return extractor

    @property
    def device(self) -> torch.device:
        """Device of the network and of the features."""
        return next(self.network.parameters()).device

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return cast(Detector, self.network).descriptor_dim

    @property
    def min_side(self) -> int:
        """Minimum side in px of the network's input."""
        return getattr(self.network, "min_side", 1)

    def transform(self, image_size: tuple[int, int]) -> ImageTransform:
        """Return the resize of an image of a size (width, height) in px to the network's input."""
        return ImageTransform.fit(
            image_size,
            self.settings.resize,
            upscale=self.settings.upscale,
            multiple=getattr(self.network, "size_multiple", 1),
        )

    def limited(self, max_keypoints: int) -> "NeuralExtractor":
        """Return an extractor with the same network and another maximum number of keypoints."""
        return self.with_settings(replace(self.settings, max_keypoints=max_keypoints))

    @ordinary_inference()
    def extract(self, image: Image, mask: Bool[Tensor, "h w"] | None = None) -> Features:
        """Detect and describe keypoints.

        Args:
            image: Image, from `tiepoint.image.read_image`.
            mask: Mask, shape (h, w), True where keypoints are allowed, in px of the image; from
                `tiepoint.extraction.masks.read_mask`.

        Returns:
            Features in descending order of score, in px of the original image; possibly none.
        """
        transform = self.transform(image.image_size)
        allowed = exclude_border(mask, image.image_size, self.settings.border)
        if allowed is not None and not allowed.any():
            logger.warning(
                "no keypoints: mask and border exclude every pixel of %s", image.source or "the image"
            )
        detection = self._detect(
            image, transform, None if allowed is None else resize_mask(allowed, transform)
        )
        keypoints = transform.to_original(detection.keypoints)
        inside = slice(None) if allowed is None else allowed_at(allowed, keypoints)
        size = "x".join(map(str, transform.resized_size))
        logger.debug("%d keypoints in %s at %s px", len(keypoints), image.source or "an image", size)
        return Features(
            keypoints=keypoints[inside],
            scores=detection.scores[inside],
            descriptors=detection.descriptors[inside],
            image_size=image.image_size,
            kind=self.settings.kind,
            fingerprint=self.fingerprint_with(mask),
            source=image.source,
            exif_orientation=image.exif_orientation,
        )

    @ordinary_inference()
    def describe(self, image: Image, keypoints: Float[Tensor, "n 2"]) -> Features:
        """Describe given keypoints; at the extractor's own keypoints, these are its own descriptors.

        The image is processed as a whole, without tiles.

        Args:
            image: Image, from `tiepoint.image.read_image`.
            keypoints: Keypoints (x, y) in px of the image; the center of the top-left pixel is (0, 0).

        Returns:
            Features with these keypoints, in the same order, and scores of 1.

        Raises:
            InvalidInput: If the extractor cannot describe given keypoints, or keypoints are outside of the image.
        """
        network = self.inference_network
        if not isinstance(network, Detector):
            raise InvalidInput(
                f"{self.settings.kind or type(self).__name__} cannot describe given keypoints; use an "
                "extractor with a network, such as aliked-n16"
            )
        transform = self.transform(image.image_size)
        pixels = transform.apply(image).to(self.device)
        _, features = network.dense_maps(pixels[None])
        keypoints = keypoints.to(self.device, torch.float32)
        descriptors = network.describe_at(
            features[0], transform.to_resized(keypoints), (pixels.shape[1], pixels.shape[2])
        )
        return Features(
            keypoints=keypoints,
            scores=torch.ones(len(keypoints), dtype=torch.float32, device=self.device),
            descriptors=descriptors,
            image_size=image.image_size,
            kind=self.settings.kind,
            source=image.source,
            exif_orientation=image.exif_orientation,
        )

    @ordinary_inference()
    def estimate_covariances(self, image: Image, features: Features) -> Features:
        """Estimate the covariances of the positions of keypoints.

        The image is processed as a whole, without tiles.

        Args:
            image: Image, from `tiepoint.image.read_image`.
            features: Features of the image, of any extractor.

        Returns:
            The features with covariances in px^2 of the image.

        Raises:
            InvalidInput: If the detector is not RaCo, or its weights have no covariance head.
        """
        network = self.inference_network
        detector = network.detector if isinstance(network, DescribedDetector) else network
        if not isinstance(detector, RaCo):
            raise InvalidInput(
                f"{self.settings.kind or type(self).__name__} cannot estimate covariances; use the preset "
                "raco-aliked+lightglue"
            )
        transform = self.transform(image.image_size)
        _, (maps,) = detector.dense_maps(transform.apply(image).to(self.device)[None])
        keypoints = transform.to_resized(features.keypoints.to(self.device, torch.float32))
        last = keypoints.new_tensor(transform.resized_size) - 1
        found = detector.covariances(maps.maps, keypoints.clamp(min=0).minimum(last))
        scale = found.new_tensor(transform.scale)
        covariances = found / (scale[:, None] * scale)  # px^2 of the resized image -> px^2 of the image
        return replace(features, covariances=covariances.to(features.device))

    def fingerprint_with(self, mask: Bool[Tensor, "h w"] | None) -> str:
        """Return the fingerprint of features extracted with a mask, shape (h, w)."""
        if mask is None:
            return self.fingerprint
        return fingerprint(MaskedExtraction(settings=self.settings, mask=mask_digest(mask)))

    def _detect(self, image: Image, transform: ImageTransform, mask: Tensor | None) -> Detection:
        """Return the keypoints in px of the resized image."""
        side = self._tile_side(transform.resized_size)
        if side is not None:
            return self._detect_in_tiles(image, transform, mask, side)
        pixels = transform.apply(image).to(self.device)
        masks = {} if mask is None else {"masks": mask[None].to(self.device)}
        (detection,) = self.inference_network(
            pixels[None],
            max_keypoints=self.settings.max_keypoints,
            detection_threshold=self.settings.detection_threshold,
            **masks,
        )
        return detection

    def _tile_side(self, image_size: tuple[int, int]) -> int | None:
        if self.settings.tile is None:
            return None
        return tile_side(self.settings.tile, image_size, cast(Detector, self.network).bytes_per_pixel)

    def _detect_in_tiles(
        self, image: Image, transform: ImageTransform, mask: Tensor | None, side: int
    ) -> Detection:
        network = cast(Detector, self.inference_network)
        if (
            transform.resized_size != image.image_size
        ):  # otherwise tiles are cropped from uint8, 1/4 of the memory
            image = Image(pixels=transform.apply(image))
        detector = TiledDetector(
            network,
            device=self.device,
            max_keypoints=self.settings.max_keypoints,
            detection_threshold=self.settings.detection_threshold,
        )
        origin = network.grid_origin(image.image_size)
        tiles = split_into_tiles(image.image_size, side, stride=network.stride, origin=origin)
        return detector.detect(image, tiles, mask)
