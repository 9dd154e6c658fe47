"""Random pairs for `match_batch`, and a random LightGlue, both in float64.

Weights are scaled so that pairs stop after different layers, lose keypoints, and still have matches.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

SHAPE = LightGlueShape(input_dim=16, dim=32, layers=4, heads=2)
GAINS = {"input_proj": 4.0, "final_proj": 0.8, "token.0": 3.0, "matchability": 2.0}

Pair = tuple[Tensor, Tensor, Tensor, Tensor]
"""Positions and descriptors of image 0, then of image 1."""


def random_network(seed: int = 2, shape: LightGlueShape = SHAPE) -> LightGlue:
    network = LightGlue(shape).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        gain = next((gain for part, gain in GAINS.items() if part in name), 1.0)
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data *= gain / math.sqrt(parameter.shape[-1])
        if name.endswith(("token.0.bias", "ffn.1.weight")):
            parameter.data += 1.5
    return network.requires_grad_(False)


def random_pair(m: int, n: int, seed: int = 0) -> Pair:
    """Image 1 has keypoints of image 0, shuffled and slightly changed; how much pairs overlap depends on the seed."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    scene = draw(max(m, n), SHAPE.input_dim) + draw(SHAPE.input_dim)
    positions = draw(max(m, n), 2).clamp(-2, 2).float() / 2
    order = torch.randperm(max(m, n), generator=generator)[:n]
    changed = scene[order] + 0.1 * draw(n, SHAPE.input_dim)
    return positions[:m], normalize(scene[:m], dim=1), positions[order] + 0.05, normalize(changed, dim=1)
