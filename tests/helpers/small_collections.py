"""Collections that are quick to make, and whether two are the same. The real one is the fixture `castle`."""

import os
from pathlib import Path

import numpy as np
import PIL.Image

from tiepoint.collection.collection import Collection

QUICK = {"preset": "aliked-t16+nearest", "resize": 128, "max_keypoints": 64, "device": "cpu"}
"""Options under which a run takes little more than starting Python."""

SMALL = {"preset": "aliked+lightglue", "resize": 128, "max_keypoints": 64, "device": "cpu"}
"""The same with LightGlue."""


STEP = 6  # px from one view to the next


def write_image_folder(folder: Path, count: int, *, size: tuple[int, int] = (128, 96)) -> Path:
    """Up to 16 views of one random texture, each further to the right; named so that sorting matters."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    generator = np.random.default_rng(0)
    coarse = PIL.Image.fromarray(generator.integers(0, 256, (24, 64, 3), np.uint8))
    texture = coarse.resize((width + STEP * 16, height), PIL.Image.Resampling.BICUBIC)
    for number in range(count):
        left = STEP * number
        texture.crop((left, 0, left + width, height)).save(folder / f"view {number + 1}.png")
    return folder


def assert_same_collections(found: Collection, expected: Collection) -> None:
    """The same images, pairs, matches and inliers, in the same order; scores to 1e-5 (docs/architecture.md)."""
    names = [image.name for image in expected.images]
    assert [image.name for image in found.images] == names
    for name in names:
        np.testing.assert_array_equal(found.features(name).keypoints, expected.features(name).keypoints)
        np.testing.assert_array_equal(found.features(name).descriptors, expected.features(name).descriptors)
    pairs = list(expected.pairs())
    assert list(found.pairs()) == pairs
    for pair in pairs:
        assert_same_pair(found, expected, pair)


def assert_same_pair(found: Collection, expected: Collection, pair: tuple[str, str]) -> None:
    """The same matches, scores and inliers."""
    (matches, scores), (true_matches, true_scores) = found.matches(*pair), expected.matches(*pair)
    np.testing.assert_array_equal(matches, true_matches)
    np.testing.assert_allclose(scores, true_scores, atol=1e-5)
    estimate, true_estimate = found.geometry(*pair), expected.geometry(*pair)
    assert (estimate is None) == (true_estimate is None)
    if estimate is not None and true_estimate is not None:
        assert estimate.reason == true_estimate.reason
        np.testing.assert_array_equal(estimate.inliers, true_estimate.inliers)


def environment() -> dict[str, str]:
    """For processes that tests start: one thread each."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}
