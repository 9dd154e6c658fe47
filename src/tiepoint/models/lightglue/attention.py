"""Attention in a pack of images: the one place of a packed LightGlue that knows where an image ends."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


class PackedAttention:
    """Attention over a pack (heads, t, e) whose images have `sizes` tokens; images 2k and 2k + 1 are a pair."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def within(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        images = zip(*(x.split(self.sizes, dim=1) for x in (q, k, v)), strict=True)
        return torch.cat([_attend(q, k, v) for q, k, v in images])

    def across(self, qk: Tensor, v: Tensor) -> Tensor:
        qks, vs = qk.split(self.sizes, dim=1), v.split(self.sizes, dim=1)
        partner = [image ^ 1 for image in range(len(self.sizes))]
        return torch.cat([_attend(qks[i], qks[j], vs[j]) for i, j in enumerate(partner)])


def _attend(
    q: Float[Tensor, "h m e"], k: Float[Tensor, "h n e"], v: Float[Tensor, "h n e"]
) -> Float[Tensor, "m h*e"]:
    """Softmax attention, scale 1 / sqrt(e); the heads end side by side."""
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0].transpose(0, 1).flatten(1)
