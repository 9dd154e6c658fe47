"""A bundle of networks of a few channels with random weights, which stop early and prune."""

from pathlib import Path

import numpy as np
import torch
from tests.helpers.random_networks import draw_lightglue
from tests.helpers.shape_checks import without_shape_checks

from tiepoint.exporting.bundle import write_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.source import Part, Source
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.image import Image
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.runtimes.lightglue import ImageInputs

DIM = 8
IMAGE_SIZE = (96, 64)
KIND = "tiny@0"
SHAPE = LightGlueShape(input_dim=DIM, dim=16, layers=3, heads=2)
SIMILARITY = 48.0
COUNTS = ((0, 0), (1, 1), (7, 3), (64, 50))


def tiny_network(seed: int = 0) -> LightGlue:
    """LightGlue with random weights that match equal descriptors."""
    torch.manual_seed(seed)
    network = LightGlue(SHAPE).eval()
    draw_lightglue(network, SIMILARITY)
    return network


def tiny_detector() -> DISK:
    """A DISK of two levels with random weights."""
    torch.manual_seed(0)
    return DISK(DISKConfig(down=(4, 4), up=(), dim=DIM)).eval()


def tiny_source() -> Source:
    """A matcher with both networks."""
    extractor = NeuralExtractor(
        tiny_detector(), ExtractionSettings(kind=KIND, max_keypoints=128, resize=max(IMAGE_SIZE))
    )
    part = Part(name="tiny", license="none")
    matcher = LightGlueMatcher(tiny_network(), kind=KIND)
    return Source(name="tiny", matcher=Matcher(extractor, matcher), extractor=part, weights=part)


def write_tiny_bundle(folder: Path, options: ExportOptions | None = None) -> Path:
    """Export the tiny matcher for images of one size."""
    with without_shape_checks():
        write_bundle(
            tiny_source(),
            folder,
            options or ExportOptions(image_size=IMAGE_SIZE),
            images=[noise()],
            counts=COUNTS,
        )
    return folder


def noise(seed: int = 0) -> Image:
    """An image of noise, of the only size that the tiny bundle accepts."""
    width, height = IMAGE_SIZE
    generator = torch.Generator().manual_seed(seed)
    return Image(pixels=torch.randint(256, (3, height, width), dtype=torch.uint8, generator=generator))


def noisy_pair(m: int, n: int, seed: int = 0) -> tuple[ImageInputs, ImageInputs]:
    """Features of m and n keypoints, of which as many as possible correspond, 5 px apart and with some noise."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 90, (max(m, n), 2)).astype(np.float32)
    descriptors = rng.normal(size=(max(m, n), DIM)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    noise = 0.02 * rng.normal(size=descriptors.shape).astype(np.float32)
    order = rng.permutation(max(m, n))[:n]
    return (
        ImageInputs(keypoints=keypoints[:m], image_size=(100, 80), descriptors=descriptors[:m]),
        ImageInputs(
            keypoints=keypoints[order] + np.float32(5),
            image_size=(100, 96),
            descriptors=(descriptors + noise)[order],
        ),
    )
