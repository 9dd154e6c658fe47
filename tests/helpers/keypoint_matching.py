"""Image pairs for tests of LightGlueForKeypointMatching, and the fields of its output."""

import torch
from tests.helpers.random_networks import noise_pair
from torch import Tensor

HEIGHT, WIDTH = 96, 128

FIELDS = ("matches", "matching_scores", "keypoints", "prune", "mask", "image_sizes")
"""Fields of the output that are always set."""


def noise_pairs(count: int) -> Tensor:
    """Return `count` pairs of overlapping noise images, shape (count, 2, 3, HEIGHT, WIDTH)."""
    return torch.stack([noise_pair(HEIGHT, WIDTH, seed) for seed in range(count)])
