"""Synthetic images of colored blobs, and a detector whose descriptors depend on their size and shape: it needs views."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.keypoints import Detection

SIZE = (320, 240)
"""Image size (width, height) in px."""

RADIUS = 5.0
"""Radius in px of the blobs in the plane."""


class PickyDetector(nn.Module):
    """Detects blobs at their centers, and describes them by their color, size and shape."""

    descriptor_dim = 7
    min_side = 16

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self,
        images: Tensor,
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        masks: Tensor | None = None,
    ) -> list[Detection]:
        from scipy import ndimage

        image = images[0].numpy()
        labels: Any
        labels, count = ndimage.label(image.max(axis=0) > 0.35)  # pyright: ignore[reportGeneralTypeIssues]
        found: list[tuple[float, float]] = []
        vectors: list[np.ndarray] = []
        for number, window in enumerate(ndimage.find_objects(labels), start=1):
            y, x = ndimage.center_of_mass(labels[window] == number)
            x, y = x + window[1].start, y + window[0].start
            if masks is None or bool(masks[0, round(y), round(x)]):
                found.append((x, y))
                color = image[:, labels == number].mean(axis=1)
                vectors.append(np.concatenate([2 * _unit(color - 0.6), *_size_and_shape(window)]))
        assert count >= len(found)
        positions = torch.tensor(found, dtype=torch.float32).reshape(-1, 2)[:max_keypoints]
        descriptors = torch.tensor(np.array(vectors), dtype=torch.float32).reshape(-1, 7)[:max_keypoints]
        scores = torch.linspace(1, 0.5, len(positions))
        return [Detection(positions, scores, nn.functional.normalize(descriptors, dim=1))]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _size_and_shape(window: tuple[slice, slice]) -> Iterator[np.ndarray]:
    """Unit vectors whose angles are the logarithms of size and aspect ratio."""
    height, width = (part.stop - part.start for part in window)
    for angle in (np.log2(width * height) * np.pi / 4, np.log2(width / height) * np.pi / 4):
        yield np.array([np.cos(angle), np.sin(angle)])


def draw_blobs(matrix: np.ndarray | None = None, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw an image of 70 blobs under a homography from the plane, where they have a radius of `RADIUS` px.

    Args:
        matrix: Homography from px of the plane, which has `SIZE`, to px of the image; None for the identity.
        seed: Seed of positions and colors.
        size: Size (width, height) of the image in px.
    """
    import cv2

    random = np.random.default_rng(seed)
    cells = np.array([(x, y) for x in range(14, 314, 22) for y in range(14, 234, 22)])
    centers = random.permutation(cells)[:70] + random.uniform(-3, 3, (70, 2))
    colors = random.uniform(0.1, 1, (70, 3))
    colors /= colors.max(axis=1, keepdims=True)
    detail = 4  # px of the drawing per px of the plane
    plane = np.zeros((SIZE[1] * detail, SIZE[0] * detail, 3), np.float32)
    for center, color in zip(centers, colors, strict=True):
        at = tuple(round(16 * (detail * value + (detail - 1) / 2)) for value in center)
        cv2.circle(plane, at, round(16 * detail * RADIUS), color.tolist(), -1, cv2.LINE_AA, 4)
    plane_from_drawing = np.array([[1 / detail, 0, -0.375], [0, 1 / detail, -0.375], [0, 0, 1]])
    full = (np.eye(3) if matrix is None else matrix) @ plane_from_drawing
    # drawn at twice the size and averaged
    doubled = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]) @ full
    image = cv2.warpPerspective(plane, doubled, (2 * size[0], 2 * size[1]), flags=cv2.INTER_AREA)
    image = image.reshape(size[1], 2, size[0], 2, 3).mean(axis=(1, 3))
    return (255 * image).round().astype(np.uint8)


def make_matcher(views: Any, **settings: Any) -> Matcher:
    """Return a matcher of the detector's blobs."""
    extraction = ExtractionSettings(kind="picky@0", **{"max_keypoints": None, "resize": None, **settings})
    nearest = NearestMatcher(kind="picky@0", filter_threshold=0.95)
    return Matcher(NeuralExtractor(PickyDetector(), extraction), nearest, views)
