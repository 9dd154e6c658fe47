"""The extractor of an exported bundle, as an extractor of the package."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.image import ImageTransform
from tiepoint.models.keypoints import Detection
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.manifest import ExtractorEntry

CPU = torch.device("cpu")


class BundleNetwork(nn.Module):
    """The graph of an extractor with the interface of a network: images in, one `Detection` per image out.

    Args:
        detector: Extractor of the bundle.
        entry: Its entry in the manifest.
    """

    def __init__(self, detector: BundleDetector, entry: ExtractorEntry) -> None:
        super().__init__()
        self.detector = detector
        self.size_multiple = entry.preprocessing.size_multiple
        self.min_side = 1 if entry.preprocessing.fixed_size else entry.preprocessing.min_side
        self.descriptor_dim = entry.descriptor_dim
        self.detection_threshold = entry.detection_threshold

    def forward(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        **masks: Any,
    ) -> list[Detection]:
        """Detect and describe the keypoints of images.

        Args:
            images: RGB images in [0, 1], on the CPU.
            max_keypoints: Maximum number of keypoints per image; None keeps all.
            detection_threshold: Minimum score of the export.
            masks: None: graphs have no masks.

        Raises:
            InvalidInput: If masks are given, or the images have a size that the graph does not accept.
        """
        if masks:
            raise InvalidInput(
                "bundles support neither masks nor border; load the preset itself, or select from the features"
            )
        self.detector.max_keypoints = max_keypoints
        found = [self.detector.detect(image.numpy()) for image in images]
        return [
            Detection(**{name: torch.from_numpy(values) for name, values in arrays.items()})
            for arrays in found
        ]


class BundleExtractor(NeuralExtractor):
    """Extract features with a bundle, on the CPU.

    Args:
        network: Graph of the extractor.
        settings: Settings of the extraction.
        fixed_size: The only size (width, height) in px of the graph's input; None if it is open.
    """

    def __init__(
        self, network: BundleNetwork, settings: ExtractionSettings, fixed_size: tuple[int, int] | None
    ) -> None:
        super().__init__(network, settings)
        self.inference_network = network
        self.fixed_size = fixed_size

    @property
    def device(self) -> torch.device:
        """Device of the features: the CPU."""
        return CPU

    def with_settings(self, settings: ExtractionSettings) -> "BundleExtractor":
        """Return an extractor with the same graph and other settings."""
        assert isinstance(self.network, BundleNetwork)
        return BundleExtractor(self.network, settings, self.fixed_size)

    def transform(self, image_size: tuple[int, int]) -> ImageTransform:
        """Return the resize of an image of a size (width, height) in px to the graph's input."""
        if self.fixed_size is not None:
            return ImageTransform(image_size, self.fixed_size)
        return super().transform(image_size)
