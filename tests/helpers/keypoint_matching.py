"""Image pairs for tests of LightGlueForKeypointMatching, and the fields of its output."""

import PIL.Image
import torch
from tests.helpers.random_networks import noise_pair
from torch import Tensor

HEIGHT, WIDTH = 96, 128

FIELDS = ("matches", "matching_scores", "keypoints", "prune", "mask", "image_sizes")
"""Fields of the output that are always set."""


def noise_pairs(count: int) -> Tensor:
    """Return `count` pairs of overlapping noise images, shape (count, 2, 3, HEIGHT, WIDTH)."""
    return torch.stack([noise_pair(HEIGHT, WIDTH, seed) for seed in range(count)])


def photos(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> list[PIL.Image.Image]:
    """Return an overlapping pair of noise images of a size (width, height)."""
    views = noise_pair(size[1], size[0], seed).mul(255).byte().permute(0, 2, 3, 1).numpy()
    return [PIL.Image.fromarray(view) for view in views]
