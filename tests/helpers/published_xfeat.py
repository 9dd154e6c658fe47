"""XFeat in its published layout, with batch norms: an independent and obvious implementation, and random weights for it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOGIT_GAIN = 6.0
"""Factor of random keypoint logits, so that some pixels exceed the threshold."""


class Block(nn.Module):
    """Convolution without bias, batch norm without parameters, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, affine=False, momentum=None),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class PublishedXFeat(nn.Module):
    """The table of the specification, without the fine matcher."""

    def __init__(self) -> None:
        super().__init__()
        self.skip1 = nn.Sequential(nn.AvgPool2d(4, stride=4), nn.Conv2d(1, 24, 1))
        self.block1 = nn.Sequential(Block(1, 4), Block(4, 8, 2), Block(8, 8), Block(8, 24, 2))
        self.block2 = nn.Sequential(Block(24, 24), Block(24, 24))
        self.block3 = nn.Sequential(Block(24, 64, 2), Block(64, 64), Block(64, 64, 1, 1))
        self.block4 = nn.Sequential(Block(64, 64, 2), Block(64, 64), Block(64, 64))
        self.block5 = nn.Sequential(Block(64, 128, 2), Block(128, 128), Block(128, 128), Block(128, 64, 1, 1))
        self.block_fusion = nn.Sequential(Block(64, 64), Block(64, 64), nn.Conv2d(64, 64, 1))
        self.heatmap_head = nn.Sequential(
            Block(64, 64, 1, 1), Block(64, 64, 1, 1), nn.Conv2d(64, 1, 1), nn.Sigmoid()
        )
        self.keypoint_head = nn.Sequential(*[Block(64, 64, 1, 1) for _ in range(3)], nn.Conv2d(64, 65, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return descriptors (b, 64, h / 8, w / 8), keypoint logits (b, 65, …) and reliability (b, 1, …)."""
        x = F.instance_norm(images.mean(dim=1, keepdim=True))
        x2 = self.block2(self.block1(x) + self.skip1(x))
        x3 = self.block3(x2)
        x4 = self.block4(x3)
        x5 = self.block5(x4)
        size = x3.shape[-2:]
        upsampled = (F.interpolate(m, size, mode="bilinear", align_corners=False) for m in (x4, x5))
        features = self.block_fusion(sum(upsampled, x3))
        cells = F.unfold(x, 8, stride=8).unflatten(2, tuple(size))  # one channel per pixel of a cell
        return features, self.keypoint_head(cells), self.heatmap_head(features)


@torch.no_grad()
def random_xfeat(seed: int = 0) -> PublishedXFeat:
    """Draw weights, and take the statistics of the batch norms from images of noise."""
    torch.manual_seed(seed)
    network = PublishedXFeat().train()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    last = network.keypoint_head[-1]
    assert isinstance(last, nn.Conv2d)
    last.weight.mul_(LOGIT_GAIN)
    for _ in range(3):
        network(torch.rand(2, 3, 96, 128))
    return network.eval()


def detect_slowly(network: PublishedXFeat, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Detect keypoints of one image (1, c, h, w) whose sides are multiples of 32, as the authors' code does.

    Returns:
        Integer keypoints in raster order, scores, and descriptors; those with a score of zero are left out.
    """
    features, logits, reliability = network(images)
    probabilities = F.pixel_shuffle(logits.softmax(1)[:, :64], 8)
    is_maximum = probabilities == F.max_pool2d(probabilities, 5, stride=1, padding=2)
    rows, columns = (is_maximum & (probabilities > 0.05))[0, 0].nonzero().unbind(dim=1)
    keypoints = torch.stack([columns, rows], dim=1)
    last = torch.tensor(images.shape[:1:-1]) - 1
    grid = (2 * keypoints.to(features) / last - 1)[None, None]
    nearest, bilinear = (
        F.grid_sample(maps, grid, mode=mode, align_corners=False)[0, 0, 0]
        for maps, mode in ((probabilities, "nearest"), (reliability, "bilinear"))
    )
    scores = nearest * bilinear
    scores[(keypoints == 0).all(dim=1)] = -1
    sampled = F.grid_sample(F.normalize(features, dim=1), grid, mode="bicubic", align_corners=False)
    kept = scores > 0
    return keypoints[kept], scores[kept], F.normalize(sampled[0, :, 0].T, dim=1)[kept]
