"""Random features that correspond, for the parity report, and features as inputs of a bundle."""

import torch
from torch import Tensor

from tiepoint.runtimes.lightglue import ImageInputs
from tiepoint.types import Features

RANDOM_SIZE = (640, 480)
NOISE = 0.5
"""Length of the noise of a random descriptor, which itself has length 1."""


def random_pair(
    m: int, n: int, descriptor_dim: int, *, kind: str = "", seed: int = 0
) -> tuple[Features, Features]:
    """Draw features of m and n keypoints, of which as many as possible correspond, with noise.

    Args:
        m: Number of keypoints of image 0.
        n: Number of keypoints of image 1.
        descriptor_dim: Descriptor dimension.
        kind: Kind of the features.
        seed: Seed of the random numbers.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu")

    count = max(m, n)
    size = torch.tensor(RANDOM_SIZE, dtype=torch.float32, device="cpu") - 1
    keypoints = torch.rand(count, 2, generator=generator, dtype=torch.float32, device="cpu") * size
    descriptors = torch.nn.functional.normalize(draw(count, descriptor_dim), dim=1)
    noisy = descriptors + NOISE / descriptor_dim**0.5 * draw(count, descriptor_dim)
    order = torch.randperm(count, generator=generator, dtype=torch.int64, device="cpu")[:n]
    moved = (keypoints + draw(count, 2)).clamp(min=0).minimum(size)
    return (
        _features(keypoints[:m], descriptors[:m], kind),
        _features(moved[order], torch.nn.functional.normalize(noisy, dim=1)[order], kind),
    )


def _features(keypoints: Tensor, descriptors: Tensor, kind: str) -> Features:
    scores = torch.ones_like(keypoints[:, 0])
    return Features(
        keypoints=keypoints, scores=scores, descriptors=descriptors, image_size=RANDOM_SIZE, kind=kind
    )


def as_inputs(features: Features) -> ImageInputs:
    """Return features as inputs of a bundle."""
    return ImageInputs(
        keypoints=features.keypoints.numpy(),
        image_size=features.image_size,
        descriptors=features.descriptors.numpy(),
        scales=None if features.scales is None else features.scales.numpy(),
        orientations=None if features.orientations is None else features.orientations.numpy(),
    )
