"""The transformer layers rewritten for inference: the same function in fewer and faster operations.

`fuse` replaces `project` and `update` of the self- and cross-attention blocks; `LightGlue.layers` and the blocks'
`forward` stay as they are:

- The output projection of attention and the first linear layer of the feed-forward network have nothing in between, so
  they are multiplied into one.
- Queries, keys and values are three contiguous parts instead of interleaved, and the dimensions that rotate together
  are half a head apart. Queries and keys are permuted alike, so their dot products do not change.
- The two projections of the cross-attention block are one matrix product.
- On x86 CPUs, matrix products use oneDNN.

Only the order of rounding differs.
"""

# torch has no types for Tensor.split, unbind and tolist
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.models.lightglue.network import CrossBlock, LightGlue, Rotation, SelfBlock, TransformerLayer
from tiepoint.models.onednn import linear
from tiepoint.models.precision import without_autocast


@torch.no_grad()
@without_autocast()
def fuse(network: LightGlue) -> LightGlue:
    """Build the inference form of a network: the same function with fused layers.

    Args:
        network: Network with the weights to fuse, on its final device and in its final dtype.

    Returns:
        A network with fused layers, in the same mode. It shares the weights that fusing does not change, and does not
        follow later changes of the others. It has no gradients and cannot be saved as a checkpoint.
    """
    with torch.device("meta"):
        fused = LightGlue(network.shape)
    fused.input_proj, fused.posenc = network.input_proj, network.posenc
    fused.log_assignment, fused.token_confidence = network.log_assignment, network.token_confidence
    fused.transformers = nn.ModuleList(
        _FusedLayer(layer) for layer in cast(Iterable[TransformerLayer], network.transformers)
    )
    return fused.train(network.training)


class _FusedLayer(nn.Module):
    """`TransformerLayer` with fused blocks."""

    def __init__(self, layer: TransformerLayer) -> None:
        super().__init__()
        self.self_attn = FusedSelfBlock(layer.self_attn)
        self.cross_attn = FusedCrossBlock(layer.cross_attn)


class FusedSelfBlock(SelfBlock):
    """`SelfBlock` with queries, keys and values one after the other, and a fused feed-forward network."""

    weight: Float[Tensor, "3*d d"]  # queries, keys, values; within each head by head
    bias: Float[Tensor, "3*d"]

    def __init__(self, block: SelfBlock) -> None:
        nn.Module.__init__(self)
        self.heads = block.heads
        rows = torch.arange(block.Wqkv.out_features, dtype=torch.int64, device=block.Wqkv.weight.device)
        queries, keys, values = rows.view(block.heads, -1, 3).unbind(-1)
        order = torch.cat([_even_then_odd(queries), _even_then_odd(keys), values]).flatten()
        self.register_buffer("weight", block.Wqkv.weight[order])
        self.register_buffer("bias", block.Wqkv.bias[order])
        self.fused_ffn = FusedFeedForward(block.ffn, block.out_proj)

    def project(self, x: Float[Tensor, "t d"], rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Compute rotated queries and keys, and values, each (heads, t, head_dim)."""
        q, k, v = _split_heads(linear(x, self.weight, self.bias), 3, self.heads)
        return rotate_halves(q, rotation), rotate_halves(k, rotation), v.contiguous()

    def update(self, x: Float[Tensor, "t d"], context: Float[Tensor, "t d"]) -> Float[Tensor, "t d"]:
        """Update the tokens with the values that attention gathered."""
        return self.fused_ffn(x, context)


class FusedCrossBlock(CrossBlock):
    """`CrossBlock` with one projection, and a fused feed-forward network."""

    weight: Float[Tensor, "parts*d d"]  # shared queries and keys, or one after the other; then values
    bias: Float[Tensor, "parts*d"]

    def __init__(self, block: CrossBlock) -> None:
        nn.Module.__init__(self)
        self.heads = block.heads
        projections = (*block.qk_projections(), block.to_v)
        self.parts = len(projections)
        self.register_buffer("weight", torch.cat([projection.weight for projection in projections]))
        self.register_buffer("bias", torch.cat([projection.bias for projection in projections]))
        self.fused_ffn = FusedFeedForward(block.ffn, block.to_out)

    def project(self, x: Float[Tensor, "t d"]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute queries, keys (the same tensor if they are shared) and values, each (heads, t, head_dim)."""
        projected = _split_heads(linear(x, self.weight, self.bias), self.parts, self.heads)
        *qk, v = (part.contiguous() for part in projected)
        return qk[0], qk[-1], v

    def update(self, x: Float[Tensor, "t d"], context: Float[Tensor, "t d"]) -> Float[Tensor, "t d"]:
        """Update the tokens with the values that attention gathered."""
        return self.fused_ffn(x, context)


class FusedFeedForward(nn.Module):
    """The feed-forward network with the output projection of attention multiplied into its first layer."""

    weight_in: Float[Tensor, "2*d 2*d"]  # columns of the token, then of the attention output
    bias_in: Float[Tensor, "2*d"]
    weight_out: Float[Tensor, "d 2*d"]
    bias_out: Float[Tensor, "d"]

    def __init__(self, feed_forward: nn.Sequential, projection: nn.Linear) -> None:
        super().__init__()
        first, norm, _, second = cast(tuple[nn.Linear, nn.LayerNorm, nn.GELU, nn.Linear], tuple(feed_forward))
        of_token, of_message = first.weight.double().split(projection.out_features, dim=1)
        weight_in = torch.cat((of_token, of_message @ projection.weight.double()), dim=1)
        bias_in = first.bias.double() + of_message @ projection.bias.double()
        self.register_buffer("weight_in", weight_in.to(first.weight.dtype))
        self.register_buffer("bias_in", bias_in.to(first.weight.dtype))
        self.norm = norm
        self.register_buffer("weight_out", second.weight.detach())
        self.register_buffer("bias_out", second.bias.detach())

    def forward(self, x: Float[Tensor, "t d"], context: Float[Tensor, "t d"]) -> Float[Tensor, "t d"]:
        """Update the tokens with the values that attention gathered."""
        hidden = linear(torch.cat((x, context), dim=1), self.weight_in, self.bias_in)
        hidden = F.gelu(self.norm(hidden))
        return linear(hidden, self.weight_out, self.bias_out).add_(x)


def rotate_halves(x: Float[Tensor, "h t e"], rotation: Rotation) -> Float[Tensor, "h t e"]:
    """Apply `network.rotate` to vectors in which dimension i rotates with dimension i + e / 2."""
    cosines, sines = rotation
    x0, x1 = x.chunk(2, dim=-1)
    rotated = torch.empty(x.shape, dtype=x.dtype, device=x.device)  # contiguous, in contrast to x
    rotated0, rotated1 = rotated.chunk(2, dim=-1)
    torch.mul(x0, cosines, out=rotated0).addcmul_(x1, sines, value=-1)
    torch.mul(x0, sines, out=rotated1).addcmul_(x1, cosines)
    return rotated


def _even_then_odd(rows: Tensor) -> Tensor:
    """Reorder the rows of each head: 0, 2, 4, …, then 1, 3, 5, …."""
    return torch.cat((rows[:, 0::2], rows[:, 1::2]), dim=1)


def _split_heads(projected: Float[Tensor, "t c"], parts: int, heads: int) -> tuple[Tensor, ...]:
    """Split (t, parts * heads * e) into `parts` tensors (heads, t, e)."""
    return projected.unflatten(-1, (parts, heads, -1)).permute(1, 2, 0, 3).unbind(0)
