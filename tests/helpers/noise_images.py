"""Images of noise and an extractor without weights, for tests of work on many images."""

from pathlib import Path

import numpy as np
import PIL.Image
from tests.helpers.fake_networks import IdentityDetector

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor


def identity_extractor() -> NeuralExtractor:
    return NeuralExtractor(IdentityDetector(), ExtractionSettings(kind="echo"))


def write_images(folder: Path, count: int, size: tuple[int, int] = (128, 96)) -> list[Path]:
    """Write different images of noise, which have keypoints."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        PIL.Image.fromarray(noise).save(path)
    return paths
