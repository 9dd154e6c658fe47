"""SIFT of COLMAP (pycolmap) as an extractor, with the conventions of COLMAP's databases."""

# pycolmap's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.sift_extractor import SIFTExtractor
from tiepoint.io.optional import import_optional
from tiepoint.types.feature_arrays import COLMAP_CORNER, normalized

COLMAP_SIFT = "colmap-sift"
"""Name of the extractor, and kind of its features."""


class ColmapSIFTExtractor(SIFTExtractor):
    """Extract RootSIFT features with pycolmap, on the CPU.

    Keypoints, scales, orientations and descriptors are those that `read_features` reads from a database of COLMAP: 0.5 px
    are subtracted, scales are in px of the resized image (about half of OpenCV's sizes), orientations in rad, descriptors
    RootSIFT in 8 bits scaled to unit length. Scores are scales, by which COLMAP selects keypoints, relative to the largest.

    Args:
        settings: Settings of the extraction; `detection_threshold` is COLMAP's peak threshold.
    """

    def __init__(self, settings: ExtractionSettings) -> None:
        NeuralExtractor.__init__(self, nn.Module(), settings)
        self._pycolmap: Any = import_optional(
            "pycolmap", purpose="COLMAP's SIFT", install="tiepoint[collection]"
        )

    def with_settings(self, settings: ExtractionSettings) -> "ColmapSIFTExtractor":
        """Return an extractor with other settings."""
        return ColmapSIFTExtractor(settings)

    def _describe(self, gray: Float[Tensor, "h w"], values: dict[str, np.ndarray]) -> Float[Tensor, "n d"]:
        return normalized(torch.from_numpy(values["descriptors"].astype(np.float32)), "l2")

    def _detect_keypoints(
        self, gray: Float[Tensor, "h w"], mask: Bool[np.ndarray, "h w"] | None
    ) -> dict[str, np.ndarray]:
        found, descriptors = self._extractor().extract_from_float32_array(np.ascontiguousarray(gray.numpy()))
        rows = [(k.x, k.y, k.compute_scale(), k.compute_orientation()) for k in found]
        columns = np.array(rows, np.float32).reshape(-1, 4)
        keypoints, scales = columns[:, :2] - np.float32(COLMAP_CORNER), columns[:, 2]
        kept = np.argsort(-scales, kind="stable")
        kept = kept[_is_inside(keypoints[kept], gray.shape, mask)][: self.settings.max_keypoints]
        values = {
            "keypoints": keypoints,
            "scores": scales / max(float(scales.max(initial=0)), 1e-6),
            "descriptors": np.asarray(descriptors.data).reshape(-1, self.descriptor_dim),
            "scales": scales,
            "orientations": columns[:, 3],
        }
        return {name: np.ascontiguousarray(array[kept]) for name, array in values.items()}

    def _extractor(self) -> Any:
        options = self._pycolmap.FeatureExtractionOptions()
        options.use_gpu = False
        options.sift.peak_threshold = self.settings.detection_threshold
        log = self._pycolmap.logging  # it reports every creation
        level, log.minloglevel = log.minloglevel, log.ERROR.value
        try:
            return self._pycolmap.FeatureExtractor.create(options, self._pycolmap.Device.cpu)
        finally:
            log.minloglevel = level


def _is_inside(
    keypoints: Float[np.ndarray, "n 2"], shape: tuple[int, ...], mask: Bool[np.ndarray, "h w"] | None
) -> Bool[np.ndarray, "n"]:
    """Return which keypoints are in the image, and where the mask allows them."""
    x, y = np.rint(keypoints).astype(np.int64).T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    if mask is not None:
        inside[inside] = mask[y[inside], x[inside]]
    return inside
