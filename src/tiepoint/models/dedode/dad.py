"""DaD: a detector of diverse keypoints, distilled from two detectors that were trained by reinforcement learning.

Source: J. Edstedt et al., "DaD: Distilled Reinforcement Learning for Diverse Keypoint Detection", arXiv 2503.07347.
Parameter names are those of the published checkpoint.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.models.dedode.network import VGG, VGG11, Decoder, Sizes
from tiepoint.models.precision import at_least_float32, network_dtype
from tiepoint.models.softmax_detector import SoftmaxDetector, normalize_imagenet
from tiepoint.models.tile import Tile

STRIDE = 8
"""Side in px of the pixels of the coarsest map."""

DAD_SIZES = Sizes(encoder=VGG11, blocks=3)
"""Sizes of the published network."""


class DaD(SoftmaxDetector[None]):
    """Images in, keypoints with sub-pixel positions and probabilities out; it has no descriptors.

    Args:
        sizes: Sizes of the network.
    """

    stride, size_multiple, samples_scores = STRIDE, STRIDE, False
    bytes_per_pixel = 1600  # at 0.8 megapixels

    def __init__(self, sizes: Sizes = DAD_SIZES) -> None:
        super().__init__()
        self.encoder = VGG(sizes.encoder)
        self.decoder = Decoder(sizes, channels=1)

    def logits(
        self, images: Float[Tensor, "b 3 h w"], tile: Tile | None = None
    ) -> tuple[Float[Tensor, "b h w"], list[None]]:
        """Compute the logits of all pixels.

        Args:
            images: RGB images in [0, 1], shape (b, 3, h, w), of sides that are at least 8 px and, if they are tiles,
                multiples of 8 px.
            tile: Not used.

        Raises:
            InvalidInput: If a side is shorter than 8 px.
        """
        height, width = images.shape[-2:]
        if min(height, width) < STRIDE:
            raise InvalidInput(
                f"DaD needs images of at least {STRIDE} px per side, got {width} x {height} px"
            )
        normalized = normalize_imagenet(at_least_float32(images)).to(network_dtype(self))
        coarse, hidden = self.decoder(self.encoder(normalized)[::-1], "bicubic")
        weight, bias = self.decoder.last_conv
        finest = F.conv2d(hidden, weight[..., None, None], bias)
        upsampled = F.interpolate(
            at_least_float32(coarse), (height, width), mode="bicubic", align_corners=False
        )
        return (upsampled + finest).squeeze(1), [None] * len(images)
