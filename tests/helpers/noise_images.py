"""Photographs of noise, and an extractor that needs no weights: for tests of what is done with many photographs."""

from pathlib import Path

import numpy as np
import PIL.Image
from tests.helpers.fake_networks import Echo

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor


def echo() -> NeuralExtractor:
    return NeuralExtractor(Echo(), ExtractionSettings(kind="echo"))


def write_photographs(folder: Path, count: int, size: tuple[int, int] = (128, 96)) -> list[Path]:
    """Noise, so that there is something to detect; each of its own."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        PIL.Image.fromarray(noise).save(path)
    return paths
