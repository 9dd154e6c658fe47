"""A data set with known shifts, and a predictor that reads the shift from the image: the metrics are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, HomographyGroundTruth
from tiepoint.image import Image
from tiepoint.result import MatchResult
from tiepoint.types import Features

SIZE = (64, 48)
COUNT = 30


def write_image(path: Path, shift: int) -> Path:
    """Write a gray image whose value is the shift of its points to the right in px."""
    PIL.Image.new("RGB", SIZE, (shift, shift, shift)).save(path)
    return path


def shifted_dataset(folder: Path, shifts: Sequence[int] = (0, 2, 5), *, name: str = "shifts") -> Dataset:
    """Pairs of image 0 with each of the others; the ground truth is the shift between them."""
    paths = [write_image(folder / f"{number}.png", shift) for number, shift in enumerate(shifts)]
    pairs = [
        EvaluationPair(
            name=f"scene/0-{number}",
            scene="scene",
            image0=paths[0],
            image1=path,
            truth=HomographyGroundTruth(
                homography=np.array([[1.0, 0, shifts[number] - shifts[0]], [0, 1, 0], [0, 0, 1]])
            ),
            tags={"index": float(number)},
        )
        for number, path in enumerate(paths)
        if number
    ]
    return Dataset(name=name, pairs=tuple(pairs))


@dataclass
class ShiftPredictor:
    """Predicts exact matches and records its calls."""

    name: str = "shift"
    fingerprint: str = "shift 1"
    extracted: list[int] = field(default_factory=list)
    matched: list[int] = field(default_factory=list)
    stop_after: int | None = None

    def extract(self, image: Image) -> Features:
        if self.stop_after is not None and len(self.extracted) >= self.stop_after:
            raise KeyboardInterrupt  # the machine goes down
        shift = int(image.pixels[0, 0, 0])
        self.extracted.append(shift)
        points = np.random.default_rng(0).uniform(5, 40, (COUNT, 2)).astype(np.float32)
        points[:, 0] += shift
        return Features(
            keypoints=torch.from_numpy(points),
            scores=torch.ones(COUNT),
            descriptors=torch.eye(COUNT) / 3,
            image_size=image.image_size,
            source=image.source,
        )

    def match_features(self, pairs: Sequence[tuple[Features, Features]]) -> list[MatchResult]:
        self.matched.append(len(pairs))
        return [self._match(*pair) for pair in pairs]

    def _match(self, features0: Features, features1: Features) -> MatchResult:
        same = np.column_stack([np.arange(COUNT), np.arange(COUNT)])
        return MatchResult(
            matches=same,
            scores=np.full(COUNT, 0.9, np.float32),
            features0=features0,
            features1=features1,
            layers_run=1,
            prune0=np.ones(COUNT, np.int64),
            prune1=np.ones(COUNT, np.int64),
            seconds={"match": 0.25},
        )
