"""Padding that works in every floating-point type."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def replicate_pad(maps: Float[Tensor, "b c h w"], margins: list[int]) -> Float[Tensor, "b c H W"]:
    """Repeat the border values; torch before 2.6 cannot do this in float16 on a CPU.

    Args:
        maps: Maps to pad.
        margins: Number of pixels at the left, right, top and bottom.
    """
    if maps.dtype == torch.float16 and maps.device.type == "cpu":
        return F.pad(maps.float(), margins, mode="replicate").half()
    return F.pad(maps, margins, mode="replicate")
