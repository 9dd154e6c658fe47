"""DoG-HardNet: SIFT's keypoints, described by HardNet."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.extraction.sift_extractor import SIFTExtractor
from tiepoint.models.hardnet import PATCH_SIZE, HardNet
from tiepoint.models.patches import oriented_patches
from tiepoint.models.precision import ordinary_inference

DOG_HARDNET = "doghardnet"
"""Name of the extractor."""

RADIUS = 6.0
"""Half side of a patch in scales of its keypoint."""


class DoGHardNetExtractor(SIFTExtractor):
    """Extract OpenCV's difference-of-Gaussian keypoints with HardNet descriptors.

    Source: cvg/LightGlue, `dog_hardnet.py`: patches of 6 x `KeyPoint.size` px to each side, rotated by `KeyPoint.angle`;
    keypoints, scales and orientations are those of `SIFTExtractor`.

    Args:
        network: HardNet, on the device where it runs; detection runs on the CPU.
        settings: Settings of the extraction; `detection_threshold` is OpenCV's contrast threshold.
    """

    def __init__(self, network: HardNet, settings: ExtractionSettings) -> None:
        super().__init__(settings)
        self.network = network.eval()

    def with_settings(self, settings: ExtractionSettings) -> "DoGHardNetExtractor":
        """Return an extractor with the same network and other settings."""
        return DoGHardNetExtractor(self.network, settings)

    @ordinary_inference()
    def _describe(self, gray: Float[Tensor, "h w"], values: dict[str, np.ndarray]) -> Float[Tensor, "n d"]:
        if not len(values["keypoints"]):
            return torch.zeros(0, self.network.descriptor_dim, dtype=torch.float32, device="cpu")
        device = next(self.network.parameters()).device
        keypoints, scales, orientations = (
            torch.from_numpy(values[name]).to(device) for name in ("keypoints", "scales", "orientations")
        )
        patches = oriented_patches(
            gray[None].to(device), keypoints, RADIUS * scales, orientations, PATCH_SIZE
        )
        return self.network(patches).cpu()
