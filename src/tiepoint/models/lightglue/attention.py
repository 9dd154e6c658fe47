"""Attention between tokens: the only part of LightGlue that depends on image boundaries.

==================== ================ ======================================== ==================================
Implementation       Tokens           Arrangement                              Used by
==================== ================ ======================================== ==================================
`DenseAttention`     (b, m + n, d)    image 0, then image 1; padding is masked `LightGlue.forward`, training, export
`PackedAttention`    (t, d)           all images of all pairs, no padding      inference
`RecordingAttention` (b, 2 n, d)      as dense; keeps the attention weights    Hugging Face's `output_attentions`
==================== ================ ======================================== ==================================

All of them have one layout: queries, keys and values are (*b, heads, t, head_dim), and the result is
(*b, t, heads * head_dim), the heads next to each other. A query without any key gets zeros.
"""

# torch has no types for Tensor.split, unbind and tolist
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.lightglue.blockwise_attention import blockwise_attention, is_blockwise_faster
from tiepoint.models.tracing import is_known


@runtime_checkable
class Attention(Protocol):
    """Softmax attention with scale 1 / sqrt(head_dim), for one arrangement of the tokens."""

    def self_attention(
        self, q: Float[Tensor, "*b h t e"], k: Float[Tensor, "*b h t e"], v: Float[Tensor, "*b h t e"]
    ) -> Float[Tensor, "*b t h*e"]:
        """Attend from every token to the tokens of its own image."""
        ...

    def cross_attention(
        self, q: Float[Tensor, "*b h t e"], k: Float[Tensor, "*b h t e"], v: Float[Tensor, "*b h t e"]
    ) -> Float[Tensor, "*b t h*e"]:
        """Attend from every token to the tokens of the other image of its pair."""
        ...


class DenseAttention:
    """Attention over batches of pairs, padded to m and n tokens.

    Args:
        m: Number of tokens of image 0, padding included.
        n: Number of tokens of image 1, padding included.
        mask0: True for the real tokens of image 0, False for padding, shape (b, m); None if all are real.
        mask1: Mask of image 1, shape (b, n).
    """

    def __init__(
        self,
        m: int,
        n: int,
        mask0: Bool[Tensor, "b m"] | None = None,
        mask1: Bool[Tensor, "b n"] | None = None,
    ) -> None:
        self.sizes = [m, n]
        self.keys0, self.keys1 = (None if mask is None else mask[:, None, None, :] for mask in (mask0, mask1))

    def self_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend within image 0 and within image 1."""
        (q0, q1), (k0, k1), (v0, v1) = (x.split(self.sizes, dim=-2) for x in (q, k, v))
        return torch.cat((attend(q0, k0, v0, self.keys0), attend(q1, k1, v1, self.keys1)), dim=-2)

    def cross_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from image 0 to image 1 and back."""
        (q0, q1), (k0, k1), (v0, v1) = (x.split(self.sizes, dim=-2) for x in (q, k, v))
        return torch.cat((attend(q0, k1, v1, self.keys1), attend(q1, k0, v0, self.keys0)), dim=-2)


class PackedAttention:
    """Attention over packed tokens: the images of any number of pairs one after the other, without padding.

    Args:
        sizes: Number of tokens of each image; images 2k and 2k + 1 are a pair.
    """

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes

    def self_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend within each image."""
        images = zip(*(x.split(self.sizes, dim=-2) for x in (q, k, v)), strict=True)
        return torch.cat(
            [
                blockwise_attention(q, k, v)
                if is_blockwise_faster(q, k)
                else merge_heads(F.scaled_dot_product_attention(q[None], k[None], v[None]))[0]
                for q, k, v in images
            ]
        )

    def cross_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from each image to its partner."""
        qs, ks, vs = (x.split(self.sizes, dim=-2) for x in (q, k, v))
        partners = [image ^ 1 for image in range(len(self.sizes))]
        return torch.cat([attend_image(qs[i], ks[j], vs[j]) for i, j in enumerate(partners)])


class RecordingAttention:
    """Dense attention over pairs of equally padded images that keeps its weights.

    Args:
        mask: True for real tokens, False for padding, shape (b, 2, n).

    Attributes:
        weights: Attention weights of each call, shape (2 b, heads, n, n).
    """

    def __init__(self, mask: Bool[Tensor, "b 2 n"]) -> None:
        self.mask = mask
        self.weights: list[Tensor] = []

    def self_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend within image 0 and within image 1."""
        return self._attend(q, k, v, self.mask)

    def cross_attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from image 0 to image 1 and back."""
        return self._attend(q, self._swap_images(k), self._swap_images(v), self.mask.flip(1))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (self._by_image(x) for x in (q, k, v))
        similarity = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        keys = mask.flatten(0, 1)[:, None, None, :]
        weights = similarity.masked_fill(~keys, torch.finfo(similarity.dtype).min).softmax(-1) * keys
        self.weights.append(weights)
        return merge_heads(weights @ v).unflatten(0, (-1, 2)).flatten(1, 2)  # (2b, h, n, e) -> (b, 2n, h*e)

    def _by_image(self, x: Float[Tensor, "b h t e"]) -> Float[Tensor, "b2 h n e"]:
        return x.unflatten(2, (2, -1)).transpose(1, 2).flatten(0, 1)

    def _swap_images(self, x: Float[Tensor, "b h t e"]) -> Float[Tensor, "b h t e"]:
        return x.unflatten(2, (2, -1)).flip(2).flatten(2, 3)


def attend_image(
    q: Float[Tensor, "h m e"], k: Float[Tensor, "h n e"], v: Float[Tensor, "h n e"]
) -> Float[Tensor, "m h*e"]:
    """`attend` for one image, with the fastest implementation available."""
    if is_blockwise_faster(q, k):
        return blockwise_attention(q, k, v)
    return attend(q[None], k[None], v[None])[0]


def attend(
    q: Float[Tensor, "b h m e"],
    k: Float[Tensor, "b h n e"],
    v: Float[Tensor, "b h n e"],
    keys: Bool[Tensor, "b 1 1 n"] | None = None,
) -> Float[Tensor, "b m h*e"]:
    """Softmax attention from m queries to n keys and values.

    Args:
        q: Queries.
        k: Keys.
        v: Values.
        keys: True for the keys to attend to; None for all.
    """
    if is_known(k.shape[-2] == 0):
        return merge_heads(torch.zeros_like(q))
    return merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=keys))


def merge_heads(context: Float[Tensor, "*b h m e"]) -> Float[Tensor, "*b m h*e"]:
    """Concatenate the heads of each token."""
    return context.transpose(-3, -2).flatten(-2)
