"""Images that encode a scene and a shift, and an extractor that reads them."""

from pathlib import Path

import PIL.Image
import torch

from tiepoint import retrieval
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.image import Image
from tiepoint.types import Features

SIZE = (200, 150)


COUNT = 80


class SceneExtractor(NeuralExtractor):
    """Reads scene and shift from the image: images of the same scene have the same points, shifted."""

    def __init__(self, max_keypoints: int = COUNT) -> None:
        self.settings = ExtractionSettings(kind="scene", max_keypoints=max_keypoints)
        self.fingerprint = f"scene {max_keypoints}"
        self.extracted: list[str] = []

    def extract(self, image: Image, mask: torch.Tensor | None = None) -> Features:
        scene, shift, _ = image.pixels[:, 0, 0].tolist()
        self.extracted.append(Path(image.source or "").name)
        noise = torch.Generator().manual_seed(scene)
        points = torch.rand(COUNT, 2, generator=noise) * 100 + 10 + shift
        return Features(
            keypoints=points,
            scores=torch.ones(COUNT),
            descriptors=torch.nn.functional.normalize(torch.randn(COUNT, 64, generator=noise), dim=1),
            image_size=image.image_size,
            kind="scene",
            fingerprint=self.fingerprint,
            source=image.source,
        )


def write(path: Path, scene: int, shift: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    PIL.Image.new("RGB", SIZE, (scene, shift, 0)).save(path)
    return path


def names(found: retrieval.Ranking) -> list[str]:
    return [Path(result.features1.source or "").name for result in found.results]
