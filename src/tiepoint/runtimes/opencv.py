"""Graphs with OpenCV's names and shapes behind the names and shapes of the other bundles."""

from collections.abc import Mapping

import numpy as np

from tiepoint.runtimes.sessions import Arrays, Session

MATCHER_INPUTS = tuple(
    f"{name}{image}" for image in (0, 1) for name in ("keypoints", "image_size", "descriptors")
)
"""Inputs of `OpenCvMatcher`."""


class OpenCvExtractor:
    """An extractor with OpenCV's names.

    Args:
        session: Its graph.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Detect keypoints; their coordinates are in px of the image."""
        found = self._session.run(inputs)
        height, width = inputs["image"].shape[2:]
        scores = found["scores"].reshape(-1)
        half_size = np.array((width, height), np.float32) / 2
        found["keypoints"] = (found["keypoints"].reshape(-1, 2) + 1) * half_size - np.float32(0.5)
        found["scores"] = scores
        is_keypoint = scores > 0  # an image without keypoints returns one, with score 0
        return {
            name: values.reshape(len(scores), *values.shape[1:])[is_keypoint]
            for name, values in found.items()
        }


class OpenCvMatcher:
    """A matcher with OpenCV's names.

    Args:
        session: Its graph.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Match two images; scores below the threshold are 0, because OpenCV's outputs do not contain them."""
        arrays: Arrays = {}
        for image in (0, 1):
            positions = normalize(inputs[f"keypoints{image}"], inputs[f"image_size{image}"])
            arrays[f"kpts{image}"] = positions[None]
            arrays[f"desc{image}"] = inputs[f"descriptors{image}"][None]
        found = self._session.run(arrays)
        pairs, scores = found["matches0"].reshape(-1, 2), found["mscores0"].reshape(-1)
        matches, scores = (
            pairs[pairs[:, 0] >= 0],
            scores[pairs[:, 0] >= 0],
        )  # without matches, one pair (-1, -1)
        outputs: Arrays = {}
        for image, (own, other) in enumerate((matches.T, matches.T[::-1])):
            count = len(inputs[f"keypoints{image}"])
            outputs[f"matches{image}"] = np.full(count, -1, np.int64)
            outputs[f"matching_scores{image}"] = np.zeros(count, np.float32)
            outputs[f"matches{image}"][own] = other
            outputs[f"matching_scores{image}"][own] = scores
        return outputs


def normalize(keypoints: np.ndarray, image_size: np.ndarray | tuple[int, int]) -> np.ndarray:
    """Map pixel coordinates to [-1, 1], scaled by the longer image side, as LightGlue expects it.

    Args:
        keypoints: Keypoint coordinates (x, y) in px, shape (n, 2); the center of the top-left pixel is (0, 0).
        image_size: Image size (width, height) in px.
    """
    size = np.asarray(image_size, np.float32)
    return ((keypoints - size / 2) / (size.max() / 2)).astype(np.float32)
