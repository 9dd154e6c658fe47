"""Tiny LightGlue networks and features in the dictionaries of cvg/LightGlue."""

import torch
from tests.helpers.random_networks import draw_lightglue
from torch import Tensor

from tiepoint.compat.lightglue import LightGlue

SIZES = {"input_dim": 64, "descriptor_dim": 64, "num_heads": 2, "n_layers": 4}
DEPTH_CONFIDENCE = 0.7
"""Some of the random pairs stop early."""
IMAGE_SIZE = (640.0, 480.0)

Features = dict[str, Tensor]


def tiny_lightglue(**options: object) -> LightGlue:
    """Random weights with matches, confident pairs and pruned keypoints."""
    torch.manual_seed(3)
    matcher = LightGlue(features=None, **SIZES | {"depth_confidence": DEPTH_CONFIDENCE} | options)  # type: ignore[arg-type]
    draw_lightglue(matcher.network, 24.0)
    return matcher


def feature_pair(counts: tuple[int, int], seed: int = 0) -> tuple[Features, Features]:
    """Features of two images, batches of one; the first keypoints of both show the same points."""
    generator = torch.Generator().manual_seed(seed)
    descriptors = torch.nn.functional.normalize(torch.randn(max(*counts, 1), 64, generator=generator), dim=1)
    images = []
    for count in counts:
        noise = 0.05 * torch.randn(count, 64, generator=generator)
        keypoints = torch.rand(count, 2, generator=generator) * torch.tensor(IMAGE_SIZE)
        images.append(
            {
                "keypoints": keypoints[None],
                "descriptors": torch.nn.functional.normalize(descriptors[:count] + noise, dim=1)[None],
                "image_size": torch.tensor([IMAGE_SIZE]),
            }
        )
    return images[0], images[1]


def pad_batch(images: list[Features]) -> Features:
    """One dictionary of all images, with a mask."""
    counts = torch.tensor([image["keypoints"].shape[1] for image in images])
    rows = {
        key: torch.nn.utils.rnn.pad_sequence([image[key][0] for image in images], batch_first=True)
        for key in ("keypoints", "descriptors")
    }
    mask = torch.arange(rows["keypoints"].shape[1]) < counts[:, None]
    return {**rows, "mask": mask, "image_size": torch.cat([image["image_size"] for image in images])}
