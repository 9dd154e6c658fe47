"""LightGlue: a transformer that matches the local features of two images.

Lindenberger, Sarlin, Pollefeys: "LightGlue: Local Feature Matching at Light Speed", ICCV 2023, arXiv 2306.13643.

Parameter names are those of the official checkpoints. One token is one keypoint. All operations but attention are
computed per token, so the layers accept any arrangement of tokens together with an `Attention` for it:

- dense (b, m + n, d): the tokens of image 0 followed by those of image 1, padding masked; `LightGlue.forward`,
  training and export;
- packed (t, d): the images of any number of pairs one after the other, without padding; `inference.match_batch`, which
  adds early stopping and pruning.

Everything that runs the network iterates over `LightGlue.layers`.
"""

# torch has no types for Tensor.split, unbind and tolist
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, TypeAlias, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.assignment import log_assignment_matrix
from tiepoint.models.lightglue.attention import Attention, DenseAttention

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines (*b, t, head_dim / 2) of the rotary position encoding of each token."""

Normalization: TypeAlias = Literal["longer_side", "per_axis"]
SizeOrder: TypeAlias = Literal["wh", "hw"]


@dataclass(frozen=True, slots=True)
class LightGlueShape:
    """Sizes and switches of the network; `families` infers them from a checkpoint. The defaults are the paper's.

    One network covers the family of LightGlue's descendants: each switch below is what one of them changed.

    Attributes:
        input_dim: Dimension of the input descriptors.
        dim: Dimension of the tokens.
        layers: Number of transformer layers, each with one self-attention and one cross-attention block.
        heads: Number of attention heads; a divisor of `dim`.
        position_dim: Number of values per keypoint position: 2 (x, y), 4 (plus scale and orientation) or 6 (x, y and
            the ends of the two axes of an affine frame).
        shared_qk: Use one projection for the queries and keys of cross-attention, as published; networks that
            transformers initialized or trained have two.
        normalization: Unit of the positions: half of the longer image side; or half of each side by itself, counted
            from the corner of the image (LoMa, `LoMa.detect`: positions are in [-1, 1] on both axes).
        size_order: Order of the image size in the normalization: "wh"; "hw" for weights that were trained with
            exchanged sides (GIM, `networks/lightglue/models/matchers/lightglue.py`).
        token_confidence: Whether the network predicts the confidence of its tokens; without, there is no early stopping
            and no pruning (LoMa has no such heads).
        score_matchability: Whether match scores contain the matchability of both keypoints; without, they are the
            product of two softmaxes (LoMa, `MatchAssignment.forward`).

    Raises:
        InvalidInput: If `dim` is not a multiple of `heads` with an even head dimension.
    """

    input_dim: int = 256
    dim: int = 256
    layers: int = 9
    heads: int = 4
    position_dim: int = 2
    shared_qk: bool = True
    normalization: Normalization = "longer_side"
    size_order: SizeOrder = "wh"
    token_confidence: bool = True
    score_matchability: bool = True

    def __post_init__(self) -> None:
        if self.dim % self.heads or (self.dim // self.heads) % 2:
            raise InvalidInput(
                f"cannot split dim {self.dim} into {self.heads} heads of an even dimension; choose other sizes"
            )

    @property
    def head_dim(self) -> int:
        """Dimension of one attention head."""
        return self.dim // self.heads

    def normalize(
        self, keypoints: Float[Tensor, "*b n 2"], image_size: Float[Tensor, "*b 2"] | None = None
    ) -> Float[Tensor, "*b n 2"]:
        """Map pixel coordinates to the positions that the network encodes.

        Args:
            keypoints: Keypoint coordinates (x, y) in px; the center of the top-left pixel is (0, 0).
            image_size: Image sizes (width, height) in px; None uses the extent of the keypoints.

        Returns:
            Unitless coordinates in float32.
        """
        if self.normalization == "per_axis":
            return normalize_per_axis(keypoints, image_size)
        if image_size is not None and self.size_order == "hw":
            image_size = image_size.flip(-1)
        return normalize_keypoints(keypoints, image_size)


def normalize_keypoints(
    keypoints: Float[Tensor, "*b n 2"], image_size: Float[Tensor, "*b 2"] | None = None
) -> Float[Tensor, "*b n 2"]:
    """Map pixel coordinates to [-1, 1], scaled by the longer image side.

    Args:
        keypoints: Keypoint coordinates (x, y) in px; the center of the top-left pixel is (0, 0).
        image_size: Image sizes (width, height) in px; None uses the extent of the keypoints.

    Returns:
        Unitless coordinates in float32; the shorter side spans less than [-1, 1].

    Source: LightGlue (arXiv 2306.13643), section 3.1; cvg/LightGlue `normalize_keypoints`.
    """
    keypoints = keypoints.float()
    if image_size is None:
        if keypoints.shape[-2] == 0:
            return keypoints
        image_size = 1 + keypoints.amax(-2) - keypoints.amin(-2)
    size = image_size.to(keypoints)
    half_longer_side = size.amax(-1)[..., None, None] / 2
    return (keypoints - size[..., None, :] / 2) / half_longer_side


def normalize_per_axis(
    keypoints: Float[Tensor, "*b n 2"], image_size: Float[Tensor, "*b 2"] | None = None
) -> Float[Tensor, "*b n 2"]:
    """Map pixel coordinates to [-1, 1] on each axis; the image spans from the corner -1 to the corner 1.

    Args:
        keypoints: Keypoint coordinates (x, y) in px; the center of the top-left pixel is (0, 0).
        image_size: Image sizes (width, height) in px; None uses the extent of the keypoints.

    Returns:
        Unitless coordinates in float32.

    Source: LoMa (davnords/LoMa), `get_normalized_grid`: pixel i of n is at -1 + (2 i + 1) / n.
    """
    keypoints = keypoints.float()
    if keypoints.shape[-2] == 0:
        return keypoints
    if image_size is None:
        image_size = 1 + keypoints.amax(-2) - keypoints.amin(-2)
    return (keypoints + 0.5) * (2 / image_size.to(keypoints))[..., None, :] - 1


def rotate(x: Float[Tensor, "*b h t e"], rotation: Rotation) -> Float[Tensor, "*b h t e"]:
    """Rotate each pair of adjacent dimensions (0, 1), (2, 3), … by the angles of its token.

    Source: LightGlue, equation 5; RoFormer (arXiv 2104.09864), equation 15.
    """
    cosines, sines = (part.unsqueeze(-3) for part in rotation)
    x0, x1 = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((x0 * cosines - x1 * sines, x0 * sines + x1 * cosines), dim=-1).flatten(-2)


class PositionalEncoding(nn.Module):
    """Rotary position encoding with learned frequencies. Source: LightGlue, section 3.1, "Positional encoding"."""

    def __init__(self, position_dim: int, head_dim: int) -> None:
        super().__init__()
        self.Wr = nn.Linear(position_dim, head_dim // 2, bias=False)
        nn.init.normal_(self.Wr.weight)

    def forward(self, positions: Float[Tensor, "*b t p"]) -> Rotation:
        """Project positions to angles, in float32."""
        angles = F.linear(positions.float(), self.Wr.weight.float())
        dtype = self.Wr.weight.dtype
        return angles.cos().to(dtype), angles.sin().to(dtype)


def feed_forward(dim: int) -> nn.Sequential:
    """Build the network that updates a token from itself and its message, (*b, t, 2 dim) -> (*b, t, dim)."""
    return nn.Sequential(
        nn.Linear(2 * dim, 2 * dim), nn.LayerNorm(2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
    )


class SelfBlock(nn.Module):
    """Self-attention: each token attends to the tokens of its own image. Source: LightGlue, equations 1 to 4."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.ffn = feed_forward(dim)

    def forward(
        self, x: Float[Tensor, "*b t d"], rotation: Rotation, attention: Attention
    ) -> Float[Tensor, "*b t d"]:
        """Update the tokens of all images."""
        q, k, v = self.project(x, rotation)
        return self.update(x, attention.self_attention(q, k, v))

    def project(self, x: Float[Tensor, "*b t d"], rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Compute rotated queries and keys, and values, each (*b, heads, t, head_dim)."""
        qkv = self.Wqkv(x).unflatten(-1, (self.heads, -1, 3))
        q, k, v = qkv.transpose(-4, -3).unbind(-1)  # (*b, t, h, e, 3) -> 3 x (*b, h, t, e)
        # without contiguous(), the stride of v would silently select torch's slow attention
        return rotate(q, rotation), rotate(k, rotation), v.contiguous()

    def update(self, x: Float[Tensor, "*b t d"], context: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t d"]:
        """Update the tokens with the values that attention gathered."""
        message = self.out_proj(context)
        return x + self.ffn(torch.cat((x, message), dim=-1))


class CrossBlock(nn.Module):
    """Cross-attention: each token attends to the tokens of the other image.

    Queries and keys share one projection, so both directions use the same similarity matrix; with `shared_qk=False`
    they have one each.

    Source: LightGlue, section 3.1, "Cross-attention".
    """

    def __init__(self, dim: int, heads: int, *, shared_qk: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qk_names = ("to_qk",) if shared_qk else ("to_q", "to_k")
        for name in self.qk_names:
            self.add_module(name, nn.Linear(dim, dim))
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)
        self.ffn = feed_forward(dim)

    def forward(self, x: Float[Tensor, "*b t d"], attention: Attention) -> Float[Tensor, "*b t d"]:
        """Update the tokens of both images of each pair from their values before the block."""
        q, k, v = self.project(x)
        return self.update(x, attention.cross_attention(q, k, v))

    def project(self, x: Float[Tensor, "*b t d"]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute queries, keys (the same tensor if they are shared) and values, each (*b, heads, t, head_dim)."""
        # (*b, t, h * e) -> (*b, h, t, e)
        *qk, v = (
            linear(x).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for linear in (*self.qk_projections(), self.to_v)
        )
        return qk[0], qk[-1], v

    def qk_projections(self) -> tuple[nn.Linear, ...]:
        """Return the projection that queries and keys share, or one for queries and one for keys."""
        return tuple(cast(nn.Linear, getattr(self, name)) for name in self.qk_names)

    def update(self, x: Float[Tensor, "*b t d"], context: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t d"]:
        """Update the tokens with the values that attention gathered."""
        message = self.to_out(context)
        return x + self.ffn(torch.cat((x, message), dim=-1))


class TransformerLayer(nn.Module):
    """The two blocks of one layer; `LightGlue.layers` runs them."""

    def __init__(self, dim: int, heads: int, *, shared_qk: bool = True) -> None:
        super().__init__()
        self.self_attn = SelfBlock(dim, heads)
        self.cross_attn = CrossBlock(dim, heads, shared_qk=shared_qk)


class TokenConfidence(nn.Module):
    """Confidence that the match of a token will not change in later layers. Source: LightGlue, equation 8."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.Linear(dim, 1), nn.Sigmoid())

    def forward(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        """Return the confidence of each token, in [0, 1]."""
        return self.token(x.detach()).squeeze(-1)

    def logits(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        """Return the logits of the confidence; no gradient flows into the tokens."""
        return self.token[0](x.detach()).squeeze(-1).float()


class MatchAssignment(nn.Module):
    """Similarity and matchability of tokens. Source: LightGlue, equations 6 and 7.

    Args:
        dim: Dimension of the tokens.
        score_matchability: Whether match scores contain the matchability.
    """

    def __init__(self, dim: int, *, score_matchability: bool = True) -> None:
        super().__init__()
        self.score_matchability = score_matchability
        self.matchability = nn.Linear(dim, 1)
        self.final_proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "*b t d"]) -> tuple[Float[Tensor, "*b t d"], Float[Tensor, "*b t"]]:
        """Return vectors whose dot products are the similarities, and the logits of the matchability in match scores.

        They are infinite (a probability of one) where scores do not contain the matchability.
        """
        vectors = self.final_proj(x) / math.sqrt(math.sqrt(x.shape[-1]))
        logits = self.logits(x)
        return vectors.float(), logits if self.score_matchability else torch.full_like(logits, torch.inf)

    def logits(self, x: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t"]:
        """Return the logits of the probability that a token has a match."""
        return self.matchability(x).squeeze(-1).float()


class LightGlue(nn.Module):
    """The network: project the descriptors, run the transformer layers, assign.

    Args:
        shape: Sizes and switches of the network. Default: the paper's.
    """

    def __init__(self, shape: LightGlueShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or LightGlueShape()
        is_same = shape.input_dim == shape.dim
        self.input_proj = nn.Identity() if is_same else nn.Linear(shape.input_dim, shape.dim)
        self.posenc = PositionalEncoding(shape.position_dim, shape.head_dim)
        self.transformers = nn.ModuleList(
            TransformerLayer(shape.dim, shape.heads, shared_qk=shape.shared_qk) for _ in range(shape.layers)
        )
        self.log_assignment = nn.ModuleList(
            MatchAssignment(shape.dim, score_matchability=shape.score_matchability)
            for _ in range(shape.layers)
        )
        confidences = shape.layers - 1 if shape.token_confidence else 0
        self.token_confidence = nn.ModuleList(TokenConfidence(shape.dim) for _ in range(confidences))

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the tokens."""
        return self.posenc.Wr.weight.dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.posenc.Wr.weight.device

    def forward(
        self,
        positions0: Float[Tensor, "b m p"],
        descriptors0: Float[Tensor, "b m i"],
        positions1: Float[Tensor, "b n p"],
        descriptors1: Float[Tensor, "b n i"],
        mask0: Bool[Tensor, "b m"] | None = None,
        mask1: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m+1 n+1"]:
        """Match dense batches with all layers, without early stopping or pruning.

        Args:
            positions0: Normalized keypoints of image 0 (`normalize_keypoints`), followed by scale and orientation or
                an affine frame if the weights need them.
            descriptors0: Descriptors of image 0.
            positions1: Positions of image 1.
            descriptors1: Descriptors of image 1.
            mask0: True for the real keypoints of image 0, False for padding; None if all are real.
            mask1: Mask of the keypoints of image 1.

        Returns:
            Log assignment matrix; the last row and column are the unmatched keypoints. Padding is -inf.
        """
        m, n = positions0.shape[1], positions1.shape[1]
        x, rotation = self.embed(
            torch.cat((positions0, positions1), dim=1), torch.cat((descriptors0, descriptors1), dim=1)
        )
        layers = self.layers(x, rotation, DenseAttention(m, n, mask0, mask1))
        for tokens in layers:
            x = tokens
        vectors, logits = self.head(-1)(x)
        return dense_assignment(vectors, logits, (m, n), mask0, mask1)

    def embed(
        self, positions: Float[Tensor, "*b t p"], descriptors: Float[Tensor, "*b t i"]
    ) -> tuple[Float[Tensor, "*b t d"], Rotation]:
        """Compute the tokens before the first layer, and the rotation that all layers share."""
        return self.input_proj(descriptors.to(self.dtype)), self.posenc(positions)

    def layers(
        self, x: Float[Tensor, "*b t d"], rotation: Rotation, attention: Attention, *, start: int = 0
    ) -> Iterator[Float[Tensor, "*b t d"]]:
        """Run the transformer layers, one per step.

        Args:
            x: Tokens before layer `start`.
            rotation: Rotary position encoding of the tokens.
            attention: Attention for the arrangement of the tokens.
            start: Index of the first layer to run. Whoever changes the tokens between layers (pruning) or runs a layer
                in its own context (gradient checkpointing) takes one step from there.

        Yields:
            The tokens after each layer.
        """
        for layer in cast(Iterable[TransformerLayer], islice(self.transformers, start, None)):
            x = layer.self_attn(x, rotation, attention)
            x = layer.cross_attn(x, attention)
            yield x

    def head(self, layer: int) -> MatchAssignment:
        """Return the assignment head that was trained for the tokens after a layer."""
        return cast(MatchAssignment, self.log_assignment[layer])

    def confidence(self, layer: int) -> TokenConfidence:
        """Return the token confidence after a layer; the last layer has none."""
        return cast(TokenConfidence, self.token_confidence[layer])

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


def dense_assignment(
    vectors: Float[Tensor, "b t d"],
    logits: Float[Tensor, "b t"],
    sizes: tuple[int, int],
    mask0: Bool[Tensor, "b m"] | None = None,
    mask1: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b rows columns"]:
    """Compute the log assignment matrix from the outputs of an assignment head for dense tokens.

    Args:
        vectors: Projected tokens of image 0, then of image 1.
        logits: Logits of their matchability.
        sizes: Number of tokens (m, n) of the two images.
        mask0: True for the real keypoints of image 0, False for padding; None if all are real.
        mask1: Mask of the keypoints of image 1.
    """
    vectors0, vectors1 = vectors.split(sizes, dim=1)
    logits0, logits1 = logits.split(sizes, dim=1)
    return log_assignment_matrix(vectors0, vectors1, logits0, logits1, mask0, mask1)
