"""LightGlue's layers rewritten for inference: the same function in fewer and faster operations.

- The output projection of attention and the first layer of the feed-forward network are both linear, with nothing
  in between, so they become one.
- Queries, keys and values lie one after the other instead of interleaved; the columns that rotate together lie half
  a head apart. Queries and keys are reordered alike, so their products stay what they are.
- The cross block's two projections are one matrix product.
- On x86 CPUs the products go to oneDNN.

Only the order of rounding differs from `lightglue.TransformerLayer`, and the tests bound by how much.
"""

from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.models.lightglue.linear import linear
from tiepoint.models.lightglue.network import CrossBlock, LightGlue, Rotation, SelfBlock, TransformerLayer


@runtime_checkable
class HeadMajorAttention(Protocol):
    """Softmax attention between tokens (heads, t, e); the result is (t, heads * e)."""

    def within(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from every token to the tokens of its own image."""
        ...

    def across(self, qk: Tensor, v: Tensor) -> Tensor:
        """Attend from every token to the tokens of the other image of its pair."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FoldedFeedForward:
    """What follows attention: merge a token with what it gathered.

    Attributes:
        weight_in: (2 d, 2 d), of the token and of what attention gathered; holds the output projection.
        bias_in: (2 d,)
        norm: between the two products.
        weight_out: (d, 2 d)
        bias_out: (d,)
    """

    weight_in: Tensor
    bias_in: Tensor
    norm: nn.LayerNorm
    weight_out: Tensor
    bias_out: Tensor

    @classmethod
    def of(cls, feed_forward: nn.Sequential, projection: nn.Linear) -> "FoldedFeedForward":
        """Fold the output projection of attention into the network that comes after it."""
        first, norm, _, second = (cast(nn.Linear, module) for module in feed_forward)
        dim = projection.out_features
        of_token, of_message = first.weight.double().split(dim, dim=1)
        weight_in = torch.cat((of_token, of_message @ projection.weight.double()), dim=1)
        bias_in = first.bias.double() + of_message @ projection.bias.double()
        dtype = first.weight.dtype
        return cls(
            weight_in.to(dtype), bias_in.to(dtype), cast(nn.LayerNorm, norm), second.weight, second.bias
        )

    def __call__(self, x: Float[Tensor, "t d"], gathered: Float[Tensor, "t d"]) -> Float[Tensor, "t d"]:
        hidden = linear(torch.cat((x, gathered), dim=1), self.weight_in, self.bias_in)
        hidden = F.gelu(self.norm(hidden))
        return linear(hidden, self.weight_out, self.bias_out).add_(x)


@dataclass(frozen=True, slots=True, eq=False)
class FoldedSelfBlock:
    """Each token gathers from the tokens of its own image."""

    heads: int
    weight: Tensor  # (3 d, d): queries, keys, values; in each head by head
    bias: Tensor
    feed_forward: FoldedFeedForward

    @classmethod
    def of(cls, block: SelfBlock) -> "FoldedSelfBlock":
        """Sort the rows of the projection, which interleaves queries, keys and values."""
        rows = torch.arange(block.Wqkv.out_features, device=block.Wqkv.weight.device)
        queries, keys, values = rows.view(block.heads, -1, 3).unbind(-1)
        order = torch.cat([_halves(queries), _halves(keys), values]).flatten()
        feed_forward = FoldedFeedForward.of(block.ffn, block.out_proj)
        return cls(block.heads, block.Wqkv.weight[order], block.Wqkv.bias[order], feed_forward)

    def __call__(
        self, x: Float[Tensor, "t d"], rotation: Rotation, attention: HeadMajorAttention
    ) -> Float[Tensor, "t d"]:
        q, k, v = _by_head(linear(x, self.weight, self.bias), 3, self.heads)
        gathered = attention.within(rotate_halves(q, rotation), rotate_halves(k, rotation), v.contiguous())
        return self.feed_forward(x, gathered)


@dataclass(frozen=True, slots=True, eq=False)
class FoldedCrossBlock:
    """Each token gathers from the tokens of the other image."""

    heads: int
    weight: Tensor  # (2 d, d): what queries and keys share, then values; in each head by head
    bias: Tensor
    feed_forward: FoldedFeedForward

    @classmethod
    def of(cls, block: CrossBlock) -> "FoldedCrossBlock":
        """Stack both projections."""
        weight = torch.cat((block.to_qk.weight, block.to_v.weight))
        bias = torch.cat((block.to_qk.bias, block.to_v.bias))
        return cls(block.heads, weight, bias, FoldedFeedForward.of(block.ffn, block.to_out))

    def __call__(self, x: Float[Tensor, "t d"], attention: HeadMajorAttention) -> Float[Tensor, "t d"]:
        qk, v = _by_head(linear(x, self.weight, self.bias), 2, self.heads)
        return self.feed_forward(x, attention.across(qk.contiguous(), v.contiguous()))


@dataclass(frozen=True, slots=True, eq=False)
class FoldedLayer:
    """One self block, then one cross block."""

    self_block: FoldedSelfBlock
    cross_block: FoldedCrossBlock

    def __call__(
        self, x: Float[Tensor, "t d"], rotation: Rotation, attention: HeadMajorAttention
    ) -> Float[Tensor, "t d"]:
        return self.cross_block(self.self_block(x, rotation, attention), attention)


def folded_layers(network: LightGlue) -> list[FoldedLayer]:
    """Fold the layers of a network, or give back what was folded before if the weights haven't changed since.

    Every change that autograd would notice is noticed; writing to `parameter.data` is not.
    """
    state = _state_of(network)
    known = _FOLDED.get(network)
    if known is None or known[0] != state:
        known = _FOLDED[network] = state, [_fold(cast(TransformerLayer, t)) for t in network.transformers]
    return known[1]


def rotate_halves(t: Float[Tensor, "h t e"], rotation: Rotation) -> Float[Tensor, "h t e"]:
    """`lightglue.rotate` for columns of which number i rotates with number i + e / 2."""
    cosines, sines = rotation
    x, y = t.chunk(2, dim=-1)
    turned = torch.empty(t.shape, dtype=t.dtype, device=t.device)  # contiguous, which t is not
    turned_x, turned_y = turned.chunk(2, dim=-1)
    torch.mul(x, cosines, out=turned_x).addcmul_(y, sines, value=-1)
    torch.mul(x, sines, out=turned_y).addcmul_(y, cosines)
    return turned


_FOLDED: WeakKeyDictionary[LightGlue, tuple[tuple, list[FoldedLayer]]] = WeakKeyDictionary()


def _state_of(network: LightGlue) -> tuple:
    """Changes when a weight is replaced, moved, cast or written to."""
    weights = network.transformers.parameters()
    return tuple((w.data_ptr(), w.dtype, 0 if w.is_inference() else w._version) for w in weights)


@torch.no_grad()
def _fold(layer: TransformerLayer) -> FoldedLayer:
    return FoldedLayer(FoldedSelfBlock.of(layer.self_attn), FoldedCrossBlock.of(layer.cross_attn))


def _halves(rows: Tensor) -> Tensor:
    """Rows 0, 2, 4, … of each head, then 1, 3, 5, …"""
    return torch.cat((rows[:, 0::2], rows[:, 1::2]), dim=1)


def _by_head(projected: Float[Tensor, "t c"], parts: int, heads: int) -> tuple[Tensor, ...]:
    """(t, parts * heads * e) -> `parts` tensors (heads, t, e)."""
    return projected.unflatten(-1, (parts, heads, -1)).permute(1, 2, 0, 3).unbind(0)
