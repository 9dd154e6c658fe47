"""Random LightGlue networks and pairs of features that have something to say, for comparisons with other implementations."""

import math
from typing import Any

import torch
from torch import Tensor

from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

SCORES_WITHIN = 1e-5
THRESHOLD = 0.1
WIDTH, HEIGHT = 640, 480
COUNT = 300
GAINS = {"final_proj": 1.6, "ffn.3": 0.3, "token.0": 2.0, "matchability": 1.5}

Features = dict[str, Tensor]
"""Input of the other implementations: keypoints (1, n, 2) px, descriptors (1, n, d), image_size (1, 2)."""


def random_network(shape: LightGlueShape, seed: int) -> LightGlue:
    """Weights scaled so that pairs stop early, keypoints are pruned, and many match."""
    network = LightGlue(shape).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        gain = next((gain for part, gain in GAINS.items() if part in name), 0.7)
        parameter.data = (
            torch.randn(parameter.shape, generator=generator) * gain / math.sqrt(parameter.shape[-1])
        )
        if name.endswith(("token.0.bias", "matchability.bias", "ffn.1.weight")):
            parameter.data += 1.5
    return network


def random_features(count: int, dim: int, seed: int) -> tuple[Features, Features]:
    """Two images of one scene: the same keypoints, shuffled, displaced and perturbed."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([WIDTH, HEIGHT])
    keypoints = torch.rand(count, 2, generator=generator) * (size - 10)
    scene = torch.randn(count, dim, generator=generator)
    again = scene + 0.1 * torch.randn(count, dim, generator=generator)
    order = torch.randperm(count, generator=generator)
    common = {
        "image_size": size[None].float(),
        "scales": 1 + torch.rand(1, count, generator=generator),
        "oris": torch.rand(1, count, generator=generator),
    }
    images = ((keypoints, scene), ((keypoints + 3)[order], again[order]))
    both = [{"keypoints": k[None], "descriptors": d[None], **common} for k, d in images]
    return both[0], both[1]


def run(
    network: LightGlue, pair: tuple[Features, Features], adaptivity: AdaptiveInference, positions=None
) -> PairAssignment:
    if positions is None:
        positions = [network.shape.normalize(image["keypoints"][0], image["image_size"][0]) for image in pair]
    (result,) = match_batch(
        network,
        torch.cat(list(positions)),
        torch.cat([image["descriptors"][0] for image in pair]),
        [(len(positions[0]), len(positions[1]))],
        adaptivity=adaptivity,
        filter_threshold=THRESHOLD,
    )
    return result


def assert_agree(ours: PairAssignment, theirs: dict[str, Any], least_matches: int = 50) -> None:
    assert int((ours.assignment.matches0 >= 0).sum()) > least_matches
    assert ours.assignment.matches0.tolist() == theirs["matches0"][0].tolist()
    assert ours.assignment.matches1.tolist() == theirs["matches1"][0].tolist()
    for mine, name in zip(ours.assignment[2:], ("matching_scores0", "matching_scores1"), strict=True):
        torch.testing.assert_close(mine, theirs[name][0], rtol=0, atol=SCORES_WITHIN)
    assert ours.layers_run == theirs["stop"]
    assert ours.prune0.tolist() == theirs["prune0"][0].tolist()
    assert ours.prune1.tolist() == theirs["prune1"][0].tolist()
