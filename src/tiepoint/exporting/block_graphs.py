"""The blocks of a LightGlue layer as parts of graphs, and their attention.

They take the fused weights of `models.lightglue.fused_layers`. Tokens of both images run through the linear layers
together; only attention separates them.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.models.lightglue.fused_layers import FusedCrossBlock, FusedFeedForward, FusedSelfBlock

Attend = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""Attention of queries (m, d) to keys and values (n, d) with a number of heads, whose dimensions are side by side."""


def plain_attention(
    q: Float[Tensor, "m d"], k: Float[Tensor, "n d"], v: Float[Tensor, "n d"], heads: int
) -> Float[Tensor, "m d"]:
    """Attend with matrix products and a softmax, which every runtime has."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(0, 1) for x in (q, k, v))  # (t, h * e) -> (h, t, e)
    weights = torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(1, 2), dim=-1)
    return (weights @ v).transpose(0, 1).flatten(1)


def fused_attention(
    q: Float[Tensor, "m d"], k: Float[Tensor, "n d"], v: Float[Tensor, "n d"], heads: int
) -> Float[Tensor, "m d"]:
    """Attend with ONNX Runtime's own operator `MultiHeadAttention`; exists in graphs only."""
    context = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (q[None], k[None], v[None]),
        attrs={"num_heads": heads},
        dtype=q.dtype,
        shape=(1, *q.shape),
        version=1,
    )
    return context[0]


class Linear(nn.Module):
    """Linear layer with a transposed weight, which graphs use as it is."""

    weight: Float[Tensor, "i o"]
    bias: Float[Tensor, "o"]

    def __init__(self, weight: Float[Tensor, "o i"], bias: Float[Tensor, "o"]) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().T.contiguous())
        self.register_buffer("bias", bias.detach())

    @classmethod
    def of(cls, linear: nn.Linear) -> "Linear":
        """Return the layer with the weights of another."""
        return cls(linear.weight, linear.bias)

    def forward(self, x: Float[Tensor, "t i"]) -> Float[Tensor, "t o"]:
        """Map rows of dimension i to dimension o."""
        return torch.addmm(self.bias, x, self.weight)


class SelfGraph(nn.Module):
    """`FusedSelfBlock` for the tokens of two images."""

    def __init__(self, block: FusedSelfBlock, attend: Attend) -> None:
        super().__init__()
        self.heads, self.attend = block.heads, attend
        self.projection = Linear(block.weight, block.bias)
        self.ffn = FeedForwardGraph(block.fused_ffn)

    def forward(
        self, x: Float[Tensor, "t d"], rotation: Float[Tensor, "t e"], count: int
    ) -> Float[Tensor, "t d"]:
        """Update the tokens of both images, the first `count` of which belong to image 0."""
        dim = x.shape[1]
        qk, v = self.projection(x).split((2 * dim, dim), dim=1)
        q, k = self._rotate(qk, rotation).chunk(2, dim=1)
        context0 = self.attend(q[:count], k[:count], v[:count], self.heads)
        context1 = self.attend(q[count:], k[count:], v[count:], self.heads)
        return self.ffn(x, torch.cat((context0, context1)))

    def _rotate(self, qk: Float[Tensor, "t c"], rotation: Float[Tensor, "t e"]) -> Float[Tensor, "t c"]:
        """Rotate dimension i of each head of the queries and keys with dimension i + e / 2."""
        x0, x1 = qk.unflatten(1, (2 * self.heads, -1)).chunk(2, dim=-1)
        cosines, sines = rotation[:, None].chunk(2, dim=-1)
        return torch.cat((x0 * cosines - x1 * sines, x0 * sines + x1 * cosines), dim=-1).flatten(1)


class CrossGraph(nn.Module):
    """`FusedCrossBlock` for the tokens of two images."""

    def __init__(self, block: FusedCrossBlock, attend: Attend) -> None:
        super().__init__()
        self.heads, self.parts, self.attend = block.heads, block.parts, attend
        self.projection = Linear(block.weight, block.bias)
        self.ffn = FeedForwardGraph(block.fused_ffn)

    def forward(self, x: Float[Tensor, "t d"], count: int) -> Float[Tensor, "t d"]:
        """Update the tokens of both images, the first `count` of which belong to image 0."""
        *qk, v = self.projection(x).chunk(self.parts, dim=1)
        q, k = qk[0], qk[-1]
        context0 = self.attend(q[:count], k[count:], v[count:], self.heads)
        context1 = self.attend(q[count:], k[:count], v[:count], self.heads)
        return self.ffn(x, torch.cat((context0, context1)))


class FeedForwardGraph(nn.Module):
    """`FusedFeedForward` without kernels that only some CPUs have."""

    def __init__(self, ffn: FusedFeedForward) -> None:
        super().__init__()
        self.first = Linear(ffn.weight_in, ffn.bias_in)
        self.norm = ffn.norm
        self.second = Linear(ffn.weight_out, ffn.bias_out)

    def forward(self, x: Float[Tensor, "t d"], context: Float[Tensor, "t d"]) -> Float[Tensor, "t d"]:
        """Update the tokens with the values that attention gathered."""
        return x + self.second(F.gelu(self.norm(self.first(torch.cat((x, context), dim=1)))))
