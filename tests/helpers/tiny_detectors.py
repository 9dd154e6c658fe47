"""RaCo, DaD and DeDoDe of a few channels, with random weights whose score maps have clear maxima."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.dedode.dad import DaD
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.dedode.dinov2 import DINOv2Sizes
from tiepoint.models.dedode.network import Sizes
from tiepoint.models.described_detector import DescribedDetector
from tiepoint.models.raco import RaCo, RaCoConfig

Network = TypeVar("Network", bound=nn.Module)

RACO = RaCoConfig(widths=(4, 4, 8, 8), ranker_width=2, ranker_blocks=2, covariance_widths=(4, 4))
SIZES = Sizes(encoder=((4,), (4,), (8,), (8, 8)), hidden=(8, 8, 4, 4), contexts=(4, 4, 4, 1), blocks=1)
DEDODE = DeDoDeConfig(sizes=SIZES, dim=12, image_size=(56, 84))
DINOV2 = DINOv2Sizes(dim=16, layers=2, heads=2, grid=3)
DEDODE_G = DeDoDeConfig(sizes=SIZES, dim=12, image_size=(56, 84), dinov2=DINOV2, dinov2_hidden=8)


def tiny_raco(config: RaCoConfig = RACO) -> RaCo:
    network = _drawn(lambda: RaCo(config))
    with torch.no_grad():  # logits of a standard deviation of about 1
        network.score_head.get_parameter("6.weight").mul_(0.2)
    return network


def tiny_dad() -> DaD:
    return _drawn(lambda: DaD(SIZES))


def tiny_dedode(config: DeDoDeConfig = DEDODE) -> DeDoDe:
    return _drawn(lambda: DeDoDe(config))


def tiny_raco_aliked() -> DescribedDetector:
    torch.manual_seed(1)
    aliked = ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4))
    return DescribedDetector(tiny_raco(), aliked).eval()


def tiny_dad_dedode(config: DeDoDeConfig = DEDODE) -> DescribedDetector:
    return DescribedDetector(tiny_dad(), tiny_dedode(config)).eval()


def noise(height: int, width: int, count: int = 1) -> Tensor:
    """Images of noise, shape (count, 3, height, width)."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def _drawn(make_network: Callable[[], Network]) -> Network:
    torch.manual_seed(0)
    network = make_network()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=(2 / parameter[0].numel()) ** 0.5)
    return network.eval()
