"""DINOv2: a vision transformer, whose features of patches are the coarsest level of DeDoDe-G.

Source: M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024 (arXiv 2304.07193).
Parameter names are those of the published checkpoint of ViT-L/14 without registers.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

PATCH = 14
"""Side of a patch in px."""
EPSILON = 1e-6
"""Added to variances in layer normalization."""
POSITION_SHIFT = 0.1
"""Added to the size of the grid of patches in the scale of the positional encoding, as in the authors' code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DINOv2Sizes:
    """Sizes of the network; the defaults are those of ViT-L/14.

    Attributes:
        dim: Number of channels.
        layers: Number of layers.
        heads: Number of attention heads.
        grid: Side of the grid of patches that the positional encoding was trained for.
    """

    dim: int = 1024
    layers: int = 24
    heads: int = 16
    grid: int = 37


class DINOv2(nn.Module):
    """Images in, features of their patches out."""

    def __init__(self, sizes: DINOv2Sizes) -> None:
        super().__init__()
        self.grid = sizes.grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, sizes.grid**2 + 1, sizes.dim))
        self.mask_token = nn.Parameter(torch.zeros(1, sizes.dim))  # used in training only
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, sizes.dim, PATCH, stride=PATCH)
        self.blocks = nn.Sequential(*(Layer(sizes.dim, sizes.heads) for _ in range(sizes.layers)))
        self.norm = nn.LayerNorm(sizes.dim, eps=EPSILON)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """Return the features of all patches.

        Args:
            images: Images, shape (b, 3, h, w), sides multiples of 14.
        """
        patches: Tensor = self.patch_embed.get_submodule("proj")(images)
        batch, _, rows, columns = patches.shape
        tokens = torch.cat([self.cls_token.expand(batch, -1, -1), patches.flatten(2).mT], dim=1)
        tokens = self.norm(self.blocks(tokens + self._positions(rows, columns)))
        return tokens[:, 1:].mT.unflatten(2, (rows, columns))

    def _positions(self, rows: int, columns: int) -> Float[Tensor, "1 n d"]:
        """Interpolate the positional encoding to a grid of patches."""
        if rows == columns == self.grid:
            return self.pos_embed
        first, patches = self.pos_embed.float().split([1, self.grid**2], dim=1)
        scale = [(side + POSITION_SHIFT) / self.grid for side in (rows, columns)]
        grid = patches.mT.unflatten(2, (self.grid, self.grid))
        resized = F.interpolate(grid, scale_factor=scale, mode="bicubic", align_corners=False)
        return torch.cat([first, resized.flatten(2).mT], dim=1).to(self.pos_embed.dtype)


class Layer(nn.Module):
    """Attention and feed-forward network, each with layer norm, a scale per channel and a residual connection."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=EPSILON), nn.LayerNorm(dim, eps=EPSILON)
        self.attn = Attention(dim, heads)
        self.mlp = FeedForward(dim)
        self.ls1, self.ls2 = LayerScale(dim), LayerScale(dim)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Update tokens of shape (b, n, d)."""
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Attend from all tokens to all tokens."""
        qkv = self.qkv(tokens).unflatten(2, (3, self.heads, -1))  # (b, n, 3, heads, e)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # 3 x (b, heads, n, e)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        return self.proj(attended.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Map tokens of shape (b, n, d)."""
        return self.fc2(F.gelu(self.fc1(tokens)))


class LayerScale(nn.Module):
    """A factor per channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Scale tokens of shape (b, n, d)."""
        return tokens * self.gamma
