"""SIFT of OpenCV as an extractor, with the conventions that LightGlue for SIFT was published with."""

# OpenCV has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import logging
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.masks import allowed_at, exclude_border, resize_mask
from tiepoint.image import Image
from tiepoint.io.optional import import_optional
from tiepoint.types import Features
from tiepoint.types.feature_arrays import opencv_values, root_sift

logger = logging.getLogger(__name__)

SIFT = "sift"
"""Name of the extractor, and kind of its features."""

EDGE_THRESHOLD, LAYERS_PER_OCTAVE = 10, 4  # cvg/LightGlue, sift.py
GRAY = (0.299, 0.587, 0.114)
CPU = torch.device("cpu")


class SIFTExtractor(NeuralExtractor):
    """Extract RootSIFT features with OpenCV, on the CPU.

    Source: cvg/LightGlue, `sift.py`, backend "opencv": scales are `KeyPoint.size` in px of the resized image (a diameter:
    about twice the scale of COLMAP, which LightGlue for SIFT was trained with), orientations `KeyPoint.angle` in rad, and
    of several keypoints at a pixel the one of highest response is kept, of several orientations the smallest.

    Args:
        settings: Settings of the extraction; `detection_threshold` is OpenCV's contrast threshold.
    """

    def __init__(self, settings: ExtractionSettings) -> None:
        super().__init__(nn.Module(), settings)
        self._cv2 = import_optional("cv2", purpose="SIFT", install="tiepoint[opencv]")

    @property
    def device(self) -> torch.device:
        """Device of the features: the CPU."""
        return CPU

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return 128

    def with_settings(self, settings: ExtractionSettings) -> "SIFTExtractor":
        """Return an extractor with other settings."""
        return SIFTExtractor(settings)

    def describe(self, image: Image, keypoints: Float[Tensor, "n 2"]) -> Features:
        """Raise InvalidInput: SIFT needs scales and orientations to describe given keypoints."""
        raise InvalidInput(
            "SIFT cannot describe given keypoints, which have no scale and orientation; use extract"
        )

    def extract(self, image: Image, mask: Bool[Tensor, "h w"] | None = None) -> Features:
        """Detect and describe keypoints.

        Args:
            image: Image, from `tiepoint.image.read_image`.
            mask: Mask, shape (h, w), True where keypoints are allowed, in px of the image.

        Returns:
            Features in descending order of score, in px of the original image; possibly none.
        """
        transform = self.transform(image.image_size)
        mask = None if mask is None else mask.cpu()
        allowed = exclude_border(mask, image.image_size, self.settings.border)
        resized = None if allowed is None else resize_mask(allowed, transform)
        gray = to_gray(transform.apply(image))
        values = self._detect_keypoints(gray, None if resized is None else resized.numpy())
        keypoints = transform.to_original(torch.from_numpy(values["keypoints"]))
        inside = slice(None) if allowed is None else allowed_at(allowed, keypoints)
        return Features(
            keypoints=keypoints[inside],
            scores=torch.from_numpy(values["scores"])[inside],
            descriptors=self._describe(gray, values)[inside],
            scales=torch.from_numpy(values["scales"])[inside],
            orientations=torch.from_numpy(values["orientations"])[inside],
            image_size=image.image_size,
            kind=self.settings.kind,
            fingerprint=self.fingerprint_with(mask),
            source=image.source,
            exif_orientation=image.exif_orientation,
        )

    def _describe(self, gray: Float[Tensor, "h w"], values: dict[str, np.ndarray]) -> Float[Tensor, "n d"]:
        """Return the descriptors of keypoints.

        Args:
            gray: Gray pixels of the resized image.
            values: Arrays of the keypoints in px of the resized image, with OpenCV's descriptors.
        """
        return root_sift(torch.from_numpy(values["descriptors"]))

    def _detect_keypoints(
        self, gray: Float[Tensor, "h w"], mask: Bool[np.ndarray, "h w"] | None
    ) -> dict[str, np.ndarray]:
        """Return the arrays of the keypoints in px of the resized image, in descending order of score."""
        levels = (gray * 255).to(torch.uint8).numpy()
        sift = self._cv2.SIFT_create(
            nfeatures=self.settings.max_keypoints or 0,
            contrastThreshold=self.settings.detection_threshold,
            edgeThreshold=EDGE_THRESHOLD,
            nOctaveLayers=LAYERS_PER_OCTAVE,
        )
        keypoints, descriptors = sift.detectAndCompute(
            levels, None if mask is None else mask.astype(np.uint8)
        )
        values: dict[str, Any] = opencv_values(keypoints, descriptors)
        kept = one_per_pixel(values["keypoints"], values["scores"], values["orientations"])
        kept = kept[: self.settings.max_keypoints]  # OpenCV keeps more with equal responses
        return {name: np.ascontiguousarray(array[kept]) for name, array in values.items()}


def to_gray(pixels: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """Return gray pixels, on the CPU.

    Args:
        pixels: RGB pixels, shape (3, h, w).
    """
    red, green, blue = (channel * weight for channel, weight in zip(pixels.cpu(), GRAY, strict=True))
    return red + green + blue


def one_per_pixel(
    keypoints: Float[np.ndarray, "n 2"], scores: Float[np.ndarray, "n"], orientations: Float[np.ndarray, "n"]
) -> np.ndarray:
    """Return the indices of one keypoint per pixel: highest score, then smallest absolute orientation.

    Args:
        keypoints: Keypoints (x, y) in px.
        scores: Scores.
        orientations: Orientations in rad.

    Returns:
        Indices in descending order of score; ties by ascending index.
    """
    if not len(keypoints):
        return np.zeros(0, np.int64)
    pixels = np.round(keypoints - 0.5).astype(np.int64)
    order = np.lexsort((np.abs(orientations), -scores))
    _, first = np.unique(pixels[order], axis=0, return_index=True)
    kept = np.sort(order[first])
    return kept[np.argsort(-scores[kept], kind="stable")]
