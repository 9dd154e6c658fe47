"""Image processors of LightGlue (image pairs) and SuperPoint (single images), with Pillow and with torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import PIL.Image
from torch import Tensor

from tiepoint.huggingface.image_processing.base import BaseImageProcessor, PilBackend, TorchBackend
from tiepoint.huggingface.image_processing.pairs import read_pairs
from tiepoint.huggingface.image_processing.post_processing import (
    KeypointMatches,
    Keypoints,
    post_process_keypoint_detection,
    post_process_keypoint_matching,
)
from tiepoint.huggingface.image_processing.visualization import draw_keypoint_matching
from tiepoint.image import Image
from tiepoint.presets import PRESETS, full_name


@dataclass(init=False, eq=False, repr=False)
class BaseLightGlueImageProcessor(BaseImageProcessor):
    """Converts image pairs to inputs of the model, and its outputs to px of the original images.

    Images are an image pair or a list of image pairs; see `tiepoint.huggingface.image_processing.pairs.read_pairs`. Pixels are
    returned as (b, 2, 3, h, w).
    """

    type_names: ClassVar[tuple[str, ...]] = (
        "LightGlueImageProcessor",
        "LightGlueImageProcessorFast",
        "LightGlueImageProcessorPil",
    )

    def read_images(self, images: Any, input_data_format: str | None = None) -> list[Image]:
        """Read image pairs as a flat list."""
        return [image for pair in read_pairs(images, input_data_format) for image in pair]

    def group(self, values: Tensor) -> Tensor:
        """Arrange the values of all images as pairs: (2b, …) -> (b, 2, …)."""
        return values.unflatten(0, (-1, 2))

    def post_process_keypoint_matching(
        self, outputs: Any, target_sizes: Any, threshold: float = 0.0
    ) -> list[KeypointMatches]:
        """Return the matches in px of the original images; see `tiepoint.huggingface.image_processing.post_processing`."""
        return post_process_keypoint_matching(outputs, target_sizes, threshold)

    def visualize_keypoint_matching(
        self, images: Any, keypoint_matching_output: Sequence[KeypointMatches]
    ) -> list[PIL.Image.Image]:
        """Draw each pair side by side with its matches.

        Args:
            images: Image pair, or list of image pairs, in the same forms as for `preprocess`.
            keypoint_matching_output: Matches from `post_process_keypoint_matching`.

        Raises:
            InvalidInput: If the form of the images is not accepted, an image cannot be read, or the number of pairs
                and the number of match sets differ.
        """
        return draw_keypoint_matching(read_pairs(images), keypoint_matching_output)

    @classmethod
    def _read_stored(cls, name: str | os.PathLike[str], options: dict[str, Any]) -> dict[str, Any]:
        preset = str(full_name(name))
        return _preset_settings(preset) if preset in PRESETS else super()._read_stored(name, options)


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessor(PilBackend, BaseLightGlueImageProcessor):
    """Image processor that resizes with Pillow, on the CPU; LightGlueImageProcessorPil in transformers 5."""


LightGlueImageProcessorPil = LightGlueImageProcessor


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessorFast(TorchBackend, BaseLightGlueImageProcessor):
    """Image processor that resizes with torch, on any device; LightGlueImageProcessor in transformers 5."""


@dataclass(init=False, eq=False, repr=False)
class BaseSuperPointImageProcessor(BaseImageProcessor):
    """Converts images to inputs of the model, and its outputs to px of the original images.

    Images are an image, a batch, or a list; see `tiepoint.huggingface.image_processing.inputs.read_images`. Pixels are returned
    as (b, 3, h, w).
    """

    type_names: ClassVar[tuple[str, ...]] = (
        "SuperPointImageProcessor",
        "SuperPointImageProcessorFast",
        "SuperPointImageProcessorPil",
    )

    do_grayscale: bool | None = False

    def post_process_keypoint_detection(self, outputs: Any, target_sizes: Any) -> list[Keypoints]:
        """Return the keypoints in px of the original images; see `tiepoint.huggingface.image_processing.post_processing`."""
        return post_process_keypoint_detection(outputs, target_sizes)


@dataclass(init=False, eq=False, repr=False)
class SuperPointImageProcessor(PilBackend, BaseSuperPointImageProcessor):
    """Image processor that resizes with Pillow, on the CPU; SuperPointImageProcessorPil in transformers 5."""


SuperPointImageProcessorPil = SuperPointImageProcessor


@dataclass(init=False, eq=False, repr=False)
class SuperPointImageProcessorFast(TorchBackend, BaseSuperPointImageProcessor):
    """Image processor that resizes with torch, on any device; SuperPointImageProcessor in transformers 5."""


def _preset_settings(name: str) -> dict[str, Any]:
    """Return the settings of a preset, as in `tiepoint.load`; only SuperPoint requires grayscale images."""
    return {"size": {"longest_edge": 1024}, "do_grayscale": PRESETS[name].extractor.startswith("superpoint")}
