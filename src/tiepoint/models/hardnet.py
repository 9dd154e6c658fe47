"""HardNet: descriptors of image patches.

Source: HardNet (arXiv 1705.10872), section 4; DagnyT/hardnet; tensor names as there and in kornia.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.models.checkpoint import load_strictly

PATCH_SIZE = 32
"""Side of a patch in px."""

# output channels and stride of each 3x3 convolution
LAYERS = ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1))

EPSILON = 1e-6  # of the standard deviation of a patch


class HardNet(nn.Module):
    """Describe patches; each is normalized to zero mean and unit standard deviation first."""

    descriptor_dim = 128

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, stride in LAYERS:
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width, affine=False),
                nn.ReLU(),
            ]
            channels = width
        side = PATCH_SIZE // 4
        layers += [
            nn.Dropout(0.3),
            nn.Conv2d(channels, self.descriptor_dim, side, bias=False),
            nn.BatchNorm2d(self.descriptor_dim, affine=False),
        ]
        self.features = nn.Sequential(*layers)

    def forward(self, patches: Float[Tensor, "n 1 p p"]) -> Float[Tensor, "n d"]:
        """Return the descriptors of gray patches, of unit length; 0 of patches of one color.

        Args:
            patches: Gray patches, shape (n, 1, 32, 32).
        """
        deviation, mean = torch.std_mean(patches, dim=(1, 2, 3), keepdim=True)
        return F.normalize(self.features((patches - mean) / (deviation + EPSILON)).flatten(1), dim=1)


def build(state: Mapping[str, Tensor]) -> HardNet:
    """Build the network from the tensors of its authors' files.

    Args:
        state: Tensors by name.

    Raises:
        WeightsError: If a tensor is missing, unexpected, or has the wrong shape.
    """
    with torch.device("meta"):
        network = HardNet()
    load_strictly(network, state, "HardNet")
    return network.eval()
