"""LightGlue: a transformer that matches the local features of two images.

Lindenberger, Sarlin, Pollefeys: "LightGlue: Local Feature Matching at Light Speed", ICCV 2023, arXiv 2306.13643.

Parameter names are the official checkpoints'. Everything but attention works on single tokens (one token = one
keypoint), so a layer takes its tokens in any arrangement, together with an `Attention` that knows which tokens
belong to which image. There are two arrangements:

- dense, here: (b, m + n, d), the tokens of image 0 followed by those of image 1; padding is masked. For training
  and export. No adaptivity.
- packed, in `lightglue_adaptive`: (t, d), the images of any number of pairs one after the other, without padding.
  For inference, adaptive in depth and width.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.assignment import log_assignment_matrix


@dataclass(frozen=True, slots=True)
class LightGlueShape:
    """What the tensors of a checkpoint say about its network; the defaults are the paper's.

    Attributes:
        input_dim: columns of the descriptors that go in.
        dim: width of the tokens inside.
        layers: number of layers, each of one self and one cross block.
        heads: attention heads; they divide `dim`.
        position_dim: numbers that say where a keypoint is: 2 (x, y), 4 (and scale, orientation) or 6 (x, y and
            the ends of two axes of an affine frame).
    """

    input_dim: int = 256
    dim: int = 256
    layers: int = 9
    heads: int = 4
    position_dim: int = 2

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 2:
            raise InvalidInput(
                f"dim {self.dim} must split into {self.heads} heads of an even number of columns"
            )

    @property
    def head_dim(self) -> int:
        """Columns of one attention head."""
        return self.dim // self.heads


Rotation = tuple[Tensor, Tensor]
"""Cosines and sines (…, t, head_dim / 2) of the angles by which a token's queries and keys are turned."""


@runtime_checkable
class Attention(Protocol):
    """Softmax attention between tokens, for one arrangement of them."""

    def within(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from every token to the tokens of its own image; all (…, t, heads, head_dim)."""
        ...

    def across(self, qk: Tensor, v: Tensor) -> Tensor:
        """Attend from every token to the tokens of the other image of its pair; (…, t, heads, head_dim)."""
        ...


def normalize_keypoints(
    keypoints: Float[Tensor, "*b n 2"], image_size: Float[Tensor, "*b 2"] | None = None
) -> Float[Tensor, "*b n 2"]:
    """Map pixel coordinates to the square [-1, 1] x [-1, 1] of the longer image side.

    Args:
        keypoints: (x, y) in px; the center of the top-left pixel is (0, 0).
        image_size: (width, height) in px of the image that the keypoints belong to; None: the extent of the
            keypoints themselves.

    Returns:
        Coordinates without unit, in float32; the shorter side spans less than [-1, 1].

    Source: LightGlue (arXiv 2306.13643), section 3.1; cvg/LightGlue `normalize_keypoints`.
    """
    keypoints = keypoints.float()
    if keypoints.shape[-2] == 0:
        return keypoints
    if image_size is None:
        image_size = 1 + keypoints.amax(-2) - keypoints.amin(-2)
    size = image_size.to(keypoints)
    half_longer_side = size.amax(-1)[..., None, None] / 2
    return (keypoints - size[..., None, :] / 2) / half_longer_side


def rotate(t: Float[Tensor, "*b t h e"], rotation: Rotation) -> Float[Tensor, "*b t h e"]:
    """Turn each pair of neighboring columns (0, 1), (2, 3), … by its token's angle.

    Source: LightGlue, equation 5; RoFormer (arXiv 2104.09864), equation 15.
    """
    cosines, sines = (part.unsqueeze(-2) for part in rotation)
    x, y = t.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((x * cosines - y * sines, x * sines + y * cosines), dim=-1).flatten(-2)


class PositionalEncoding(nn.Module):
    """Turns positions into angles with a learned linear map. Source: LightGlue, section 3.1, "Positional encoding"."""

    def __init__(self, position_dim: int, head_dim: int) -> None:
        super().__init__()
        self.Wr = nn.Linear(position_dim, head_dim // 2, bias=False)
        nn.init.normal_(self.Wr.weight)

    def forward(self, positions: Float[Tensor, "*b t p"]) -> Rotation:
        angles = F.linear(positions.float(), self.Wr.weight.float())
        dtype = self.Wr.weight.dtype
        return angles.cos().to(dtype), angles.sin().to(dtype)


def feed_forward(dim: int) -> nn.Sequential:
    """The network that merges a token with its message, (…, 2 dim) -> (…, dim)."""
    return nn.Sequential(
        nn.Linear(2 * dim, 2 * dim), nn.LayerNorm(2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
    )


class SelfBlock(nn.Module):
    """Each token gathers from the tokens of its own image. Source: LightGlue, equations 1 to 4."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.ffn = feed_forward(dim)

    def forward(
        self, x: Float[Tensor, "*b t d"], rotation: Rotation, attention: Attention
    ) -> Float[Tensor, "*b t d"]:
        q, k, v = self.Wqkv(x).unflatten(-1, (self.heads, -1, 3)).unbind(-1)
        # v is every third column; torch's fast attention takes neighboring ones only, else the slow one runs silently
        context = attention.within(rotate(q, rotation), rotate(k, rotation), v.contiguous())
        message = self.out_proj(context.flatten(-2))
        return x + self.ffn(torch.cat((x, message), dim=-1))


class CrossBlock(nn.Module):
    """Each token gathers from the tokens of the other image; queries and keys share one projection, so that the
    similarity is one matrix seen from both sides. Source: LightGlue, section 3.1, "Cross-attention".
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qk = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)
        self.ffn = feed_forward(dim)

    def forward(self, x: Float[Tensor, "*b t d"], attention: Attention) -> Float[Tensor, "*b t d"]:
        qk, v = (project(x).unflatten(-1, (self.heads, -1)) for project in (self.to_qk, self.to_v))
        message = self.to_out(attention.across(qk, v).flatten(-2))
        return x + self.ffn(torch.cat((x, message), dim=-1))


class TransformerLayer(nn.Module):
    """One self block, then one cross block."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn = SelfBlock(dim, heads)
        self.cross_attn = CrossBlock(dim, heads)

    def forward(
        self, x: Float[Tensor, "*b t d"], rotation: Rotation, attention: Attention
    ) -> Float[Tensor, "*b t d"]:
        return self.cross_attn(self.self_attn(x, rotation, attention), attention)


class TokenConfidence(nn.Module):
    """How sure a token is that further layers won't change its match. Source: LightGlue, equation 8."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.Linear(dim, 1), nn.Sigmoid())

    def forward(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        return self.token(x.detach()).squeeze(-1)

    def logits(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        """Return the logits of the confidence; their loss doesn't reach the tokens."""
        return self.token[0](x.detach()).squeeze(-1).float()


class MatchAssignment(nn.Module):
    """Similarity of two tokens, and how likely each has a match at all. Source: LightGlue, equations 6 and 7."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.matchability = nn.Linear(dim, 1)
        self.final_proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "*b t d"]) -> tuple[Float[Tensor, "*b t d"], Float[Tensor, "*b t"]]:
        """Return vectors whose dot products are the similarities, and the logits of matchability."""
        vectors = self.final_proj(x) / math.sqrt(math.sqrt(x.shape[-1]))
        return vectors.float(), self.logits(x)

    def logits(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        """Return the logits of the probability that a token has a match."""
        return self.matchability(x).squeeze(-1).float()


class LightGlue(nn.Module):
    """The network: embed the descriptors, let both images exchange messages, assign.

    Args:
        shape: see `LightGlueShape`; `lightglue_convert.shape_of` reads it off a checkpoint.
    """

    def __init__(self, shape: LightGlueShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or LightGlueShape()
        same = shape.input_dim == shape.dim
        self.input_proj = nn.Identity() if same else nn.Linear(shape.input_dim, shape.dim)
        self.posenc = PositionalEncoding(shape.position_dim, shape.head_dim)
        self.transformers = nn.ModuleList(
            TransformerLayer(shape.dim, shape.heads) for _ in range(shape.layers)
        )
        self.log_assignment = nn.ModuleList(MatchAssignment(shape.dim) for _ in range(shape.layers))
        self.token_confidence = nn.ModuleList(TokenConfidence(shape.dim) for _ in range(shape.layers - 1))

    @property
    def dtype(self) -> torch.dtype:
        """The type in which tokens are computed."""
        return self.posenc.Wr.weight.dtype

    def truncated(self, layers: int) -> "LightGlue":
        """Copy the network with only its first layers; every layer has its own assignment head.

        Args:
            layers: Number of layers to keep.

        Returns:
            A network that shares the weights of this one, in the same mode (training or evaluation).

        Raises:
            InvalidInput: If the network does not have that many layers.
        """
        if not 1 <= layers <= self.shape.layers:
            raise InvalidInput(
                f"cannot truncate a network of {self.shape.layers} layers to {layers}; "
                f"expected 1 to {self.shape.layers}"
            )
        with torch.device("meta"):
            truncated = LightGlue(replace(self.shape, layers=layers))
        state = self.state_dict()
        truncated.load_state_dict({name: state[name] for name in truncated.state_dict()}, assign=True)
        return truncated.train(self.training)

    def head(self, layer: int) -> MatchAssignment:
        """The assignment head that was trained for the tokens of this layer."""
        return cast(MatchAssignment, self.log_assignment[layer])

    def embed(
        self, positions: Float[Tensor, "*b t p"], descriptors: Float[Tensor, "*b t i"]
    ) -> tuple[Float[Tensor, "*b t d"], Rotation]:
        """Turn keypoints into tokens, and positions into the angles that every layer uses."""
        return self.input_proj(descriptors.to(self.dtype)), self.posenc(positions)

    def forward(
        self,
        positions0: Float[Tensor, "b m p"],
        descriptors0: Float[Tensor, "b m i"],
        positions1: Float[Tensor, "b n p"],
        descriptors1: Float[Tensor, "b n i"],
        mask0: Bool[Tensor, "b m"] | None = None,
        mask1: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m+1 n+1"]:
        """Match dense batches, all layers, without adaptivity.

        Args:
            positions0: where the keypoints of image 0 are: `normalize_keypoints`, then what else the weights take.
            descriptors0: their descriptors.
            positions1: likewise of image 1.
            descriptors1: likewise of image 1.
            mask0: True where a keypoint of image 0 is real, False where it pads; None: all are real.
            mask1: likewise of image 1.

        Returns:
            Log of the assignment probabilities; the last row and column mean "no match". Padding is -inf.
        """
        m, n = positions0.shape[1], positions1.shape[1]
        x, rotation = self.embed(
            torch.cat((positions0, positions1), dim=1), torch.cat((descriptors0, descriptors1), dim=1)
        )
        attention = DenseAttention(m, n, mask0, mask1)
        for layer in self.transformers:
            x = layer(x, rotation, attention)
        vectors, logits = self.head(-1)(x)
        return dense_assignment(vectors, logits, (m, n), mask0, mask1)


def dense_assignment(
    vectors: Float[Tensor, "b t d"],
    logits: Float[Tensor, "b t"],
    sizes: tuple[int, int],
    mask0: Bool[Tensor, "b m"] | None = None,
    mask1: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b rows columns"]:
    """What a head says of the tokens of both images, as `log_assignment_matrix` takes it; `sizes` is (m, n)."""
    (vectors0, vectors1), (logits0, logits1) = (part.split(sizes, dim=1) for part in (vectors, logits))
    return log_assignment_matrix(vectors0, vectors1, logits0, logits1, mask0, mask1)


class DenseAttention:
    """Attention over tokens (b, m + n, …): m of image 0, then n of image 1; padded keys are masked."""

    def __init__(self, m: int, n: int, mask0: Tensor | None = None, mask1: Tensor | None = None) -> None:
        self.sizes = (m, n)
        self.keys0, self.keys1 = (None if mask is None else mask[:, None, None, :] for mask in (mask0, mask1))

    def within(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        (q0, q1), (k0, k1), (v0, v1) = (x.split(self.sizes, dim=1) for x in (q, k, v))
        return torch.cat((attend(q0, k0, v0, self.keys0), attend(q1, k1, v1, self.keys1)), dim=1)

    def across(self, qk: Tensor, v: Tensor) -> Tensor:
        (qk0, qk1), (v0, v1) = (x.split(self.sizes, dim=1) for x in (qk, v))
        return torch.cat((attend(qk0, qk1, v1, self.keys1), attend(qk1, qk0, v0, self.keys0)), dim=1)


def attend(
    q: Float[Tensor, "b m h e"],
    k: Float[Tensor, "b n h e"],
    v: Float[Tensor, "b n h e"],
    keys: Bool[Tensor, "b 1 1 n"] | None = None,
) -> Float[Tensor, "b m h e"]:
    """Softmax attention, scale 1 / sqrt(e). A query without a single key gets zeros."""
    if k.shape[1] == 0:
        return torch.zeros_like(q)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keys).transpose(1, 2)
