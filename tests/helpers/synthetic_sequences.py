"""Synthetic sequences with known points, and an exact matcher for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tiepoint.image import Image
from tiepoint.result import MatchResult
from tiepoint.types import Features

SIZE = (64, 48)

Frame = Mapping[int, tuple[float, float]]
"""Id of a physical point -> its coordinates in px."""


def frame_image(number: int, size: tuple[int, int] = SIZE) -> Image:
    """Return an image that encodes the index of its frame."""
    return Image(pixels=torch.full((3, size[1], size[0]), number, dtype=torch.uint8))


@dataclass
class KnownSequence:
    """A `Matcher` that detects exactly the points of each frame and matches identical ones."""

    frames: Sequence[Frame]
    points: dict[int, list[int]] = field(default_factory=dict)
    matched: list[tuple[int, int]] = field(default_factory=list)

    def images(self) -> list[Image]:
        return [frame_image(number) for number in range(len(self.frames))]

    def extract(self, image: Image) -> Features:
        number = int(image.pixels[0, 0, 0])
        places = self.frames[number]
        return Features(
            keypoints=torch.tensor(list(places.values()), dtype=torch.float32).reshape(-1, 2),
            scores=torch.ones(len(places)),
            descriptors=torch.ones(len(places), 1),
            image_size=image.image_size,
            source=str(number),
        )

    def match_features(self, pairs: Sequence[tuple[Features, Features]]) -> list[MatchResult]:
        return [self._match(*pair) for pair in pairs]

    def _match(self, features0: Features, features1: Features) -> MatchResult:
        numbers = int(features0.source or 0), int(features1.source or 0)
        self.matched.append(numbers)
        known0, known1 = (list(self.frames[number]) for number in numbers)
        same = [(known0.index(point), known1.index(point)) for point in known0 if point in known1]
        return MatchResult(
            matches=np.array(same, np.int64).reshape(-1, 2),
            scores=np.full(len(same), 0.9, np.float32),
            features0=features0,
            features1=features1,
            layers_run=1,
            prune0=np.ones(len(known0), np.int64),
            prune1=np.ones(len(known1), np.int64),
        )


def sliding(count: int, *, visible: int = 40, step: int = 5) -> list[Frame]:
    """Frames with a sliding window of points: `step` points disappear and `step` appear per frame."""
    return [
        {point: (point % 60, point % 40) for point in range(step * k, step * k + visible)}
        for k in range(count)
    ]
