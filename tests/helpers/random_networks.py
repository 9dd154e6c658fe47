"""Random LightGlue models that have something to say: many matches, pairs that stop early, keypoints that are dropped.

The published weights are not available here. These are drawn in the official layout, and scaled so that scores and
descriptors differ from keypoint to keypoint as much as those of a trained network.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.superpoint.network import SuperPoint

TINY_SUPERPOINT: dict[str, Any] = {
    "encoder_hidden_sizes": (8, 16, 32, 64),
    "decoder_hidden_size": 64,
    "descriptor_decoder_dim": 48,
}
TINY_LIGHTGLUE: dict[str, Any] = {"descriptor_dim": 64, "num_hidden_layers": 3, "num_attention_heads": 2}

SIMILARITY = 32.0
"""Of two equal tokens."""
GAINS = {"token.0": 2.0, "matchability": 1.5}
"""Standard deviation of the logits; the other layers keep 0.7 of the length of what goes in."""
SURE = ("token.0.bias", "matchability.bias", "ffn.1.weight")
"""Raised, so that most keypoints are confident and matchable."""


def tiny_config(*, max_keypoints: int = 300, **settings: Any) -> LightGlueConfig:
    """Small and quick, with the same border as in transformers."""
    return LightGlueConfig(
        keypoint_detector_config=TINY_SUPERPOINT | {"max_keypoints": max_keypoints, "strict_border": False},
        **TINY_LIGHTGLUE | settings,
    )


def full_config(*, max_keypoints: int = 300, **settings: Any) -> LightGlueConfig:
    """The published sizes, with the same border as in transformers."""
    detector = {"max_keypoints": max_keypoints, "strict_border": False}
    return LightGlueConfig(keypoint_detector_config=detector, **settings)


def random_model(
    config: LightGlueConfig, photo: Tensor | None = None, seed: int = 1, similarity: float = SIMILARITY
) -> LightGlueForKeypointMatching:
    """SuperPoint and LightGlue with random weights, for images like `photo` (c, h, w); None: noise.

    The greater the similarity of equal tokens, the more of the nearest neighbors become matches.
    """
    torch.manual_seed(seed)
    model = LightGlueForKeypointMatching(config)
    draw_superpoint(model.keypoint_detector, torch.rand(1, 96, 128) if photo is None else photo)
    draw_lightglue(model.matcher, similarity)
    return model


@torch.no_grad()
def draw_superpoint(network: SuperPoint, photo: Tensor) -> None:
    """Some pixels stand out, and the descriptors of `photo` point in all directions."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
    nn.init.normal_(network.convPb.weight, std=3.5 / network.convPb.in_channels**0.5)
    mean = network.convDa(network.encode(photo[None, :1])).mean(dim=(0, 2, 3))
    network.convDb.bias.copy_(-network.convDb.weight[:, :, 0, 0] @ mean)


@torch.no_grad()
def draw_lightglue(network: LightGlue, similarity: float) -> None:
    """Unit descriptors keep their meaning through the layers, each of which changes them a little."""
    dim = network.shape.dim
    for name, parameter in network.named_parameters():
        parameter.normal_(std=0.01 if parameter.ndim == 1 else 0.7 / math.sqrt(parameter.shape[-1]))
        if name.endswith("final_proj.weight"):
            parameter.normal_(std=math.sqrt(similarity / math.sqrt(dim)))
        if name.endswith("ffn.3.weight"):
            parameter.normal_(std=0.1 / math.sqrt(dim * parameter.shape[-1]))
        for part, gain in GAINS.items():
            if part in name:
                parameter.normal_(std=gain)
        if name.endswith(SURE):
            parameter += 1.5


def noise_pair(height: int = 96, width: int = 128, seed: int = 0) -> Tensor:
    """Two views (2, 3, height, width) of one plane of noise, 8 px apart."""
    scene = torch.rand(1, height, width + 8, generator=torch.Generator().manual_seed(seed))
    return torch.stack([scene[..., :width], scene[..., 8:]]).expand(2, 3, height, width)
