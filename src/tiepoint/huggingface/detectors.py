"""The detectors that may stand inside LightGlueForKeypointMatching: one row each, by `model_type`."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DetectorConfig,
    DISKDetectorConfig,
    SuperPointConfig,
)
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.checkpoint import from_original, to_original
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape

StateDict = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Detector:
    """One row.

    Attributes:
        build: configuration -> network with random weights.
        options: configuration -> what the network's forward takes beside images and max_keypoints.
        to_hub: names of the network's tensors -> names in `model.safetensors`, without the detector's prefix.
        from_hub: the inverse.
    """

    build: Callable[[Any], nn.Module]
    options: Callable[[Any], dict[str, Any]]
    to_hub: Callable[[Mapping[str, Tensor]], StateDict] = dict
    from_hub: Callable[[Mapping[str, Tensor]], StateDict] = dict


def _superpoint(config: SuperPointConfig) -> nn.Module:
    if config.keypoint_decoder_dim != 65:
        raise InvalidInput(
            f"SuperPoint's keypoint_decoder_dim must be 65 (8 x 8 px and none), not {config.keypoint_decoder_dim}"
        )
    return SuperPoint(
        SuperPointShape(
            widths=_four(config.encoder_hidden_sizes),
            head_width=config.decoder_hidden_size,
            dim=config.descriptor_decoder_dim,
        )
    )


def _four(widths: tuple[int, ...]) -> tuple[int, int, int, int]:
    if len(widths) != 4:
        raise InvalidInput(f"SuperPoint's encoder_hidden_sizes must be four numbers, but are {widths}")
    w1, w2, w3, w4 = widths
    return w1, w2, w3, w4


def _superpoint_options(config: SuperPointConfig) -> dict[str, Any]:
    return {
        "detection_threshold": config.keypoint_threshold,
        "nms_radius": config.nms_radius,
        "border": config.border_removal_distance,
        "strict_border": config.strict_border,
    }


def _threshold_option(config: ALIKEDDetectorConfig | DISKDetectorConfig) -> dict[str, Any]:
    return {"detection_threshold": config.keypoint_threshold}


DETECTORS: dict[str, Detector] = {
    "superpoint": Detector(
        _superpoint,
        _superpoint_options,
        to_hub=lambda state: from_original(state, "huggingface"),
        from_hub=to_original,
    ),
    "aliked": Detector(lambda config: ALIKED(ALIKED_VARIANTS[config.variant]), _threshold_option),
    "disk": Detector(lambda config: DISK(DISKConfig()), _threshold_option),
}
"""`model_type` of a detector's configuration -> its row."""


def build_detector(config: DetectorConfig) -> nn.Module:
    """The network of a configuration, with random weights."""
    return DETECTORS[config.model_type].build(config)


def detect(network: nn.Module, config: DetectorConfig, images: Sequence[Tensor]) -> list[Detection]:
    """Detect in images of any sizes; those of equal size go through the network together.

    Args:
        network: as `build_detector` made it.
        config: its configuration.
        images: each (channels, height, width) in [0, 1].

    Returns:
        One detection an image, in their order.
    """
    options = DETECTORS[config.model_type].options(config)
    max_keypoints = config.max_keypoints if config.max_keypoints >= 0 else None
    by_shape = defaultdict(list)
    for number, image in enumerate(images):
        by_shape[image.shape].append(number)
    found: dict[int, Detection] = {}
    for numbers in by_shape.values():
        batch = torch.stack([images[number] for number in numbers])
        found.update(zip(numbers, network(batch, max_keypoints=max_keypoints, **options), strict=True))
    return [found[number] for number in range(len(images))]
