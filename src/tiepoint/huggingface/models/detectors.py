"""Table of the keypoint detectors of LightGlueForKeypointMatching, by `model_type`."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.configs import (
    ALIKEDDetectorConfig,
    DetectorConfig,
    DISKDetectorConfig,
    SuperPointConfig,
    XFeatDetectorConfig,
)
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.keypoints import Detection
from tiepoint.models.superpoint.checkpoint import from_original, to_original
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape
from tiepoint.models.tracing import is_exporting
from tiepoint.models.xfeat import XFeat, build as build_xfeat

StateDict = dict[str, Tensor]

NUM_KEYPOINT_LOGITS = 65
"""Keypoint logits of SuperPoint per cell: 8 x 8 px and "no keypoint"."""


@dataclass(frozen=True, slots=True)
class DetectorEntry:
    """Row of the table of detectors.

    Attributes:
        build: Function from the configuration to a network with random weights.
        options: Function from the configuration to keyword arguments of the network's forward, besides images and
            max_keypoints.
        to_hub: Function that renames the network's tensors to their names in `model.safetensors`, without the
            detector's prefix.
        from_hub: Inverse of `to_hub`.
    """

    build: Callable[[Any], nn.Module]
    options: Callable[[Any], dict[str, Any]]
    to_hub: Callable[[Mapping[str, Tensor]], StateDict] = dict
    from_hub: Callable[[Mapping[str, Tensor]], StateDict] = dict


def _build_superpoint(config: SuperPointConfig) -> nn.Module:
    if config.keypoint_decoder_dim != NUM_KEYPOINT_LOGITS:
        raise InvalidInput(
            f"SuperPoint's keypoint_decoder_dim must be {NUM_KEYPOINT_LOGITS} (8 x 8 px and no keypoint), "
            f"got {config.keypoint_decoder_dim}"
        )
    shape = SuperPointShape(
        widths=config.encoder_hidden_sizes,
        head_width=config.decoder_hidden_size,
        dim=config.descriptor_decoder_dim,
    )
    return SuperPoint(shape)


def _superpoint_options(config: SuperPointConfig) -> dict[str, Any]:
    return {
        "detection_threshold": config.keypoint_threshold,
        "nms_radius": config.nms_radius,
        "border": config.border_removal_distance,
        "strict_border": config.strict_border,
    }


def _threshold_option(
    config: ALIKEDDetectorConfig | DISKDetectorConfig | XFeatDetectorConfig,
) -> dict[str, Any]:
    return {"detection_threshold": config.keypoint_threshold}


DETECTORS: dict[str, DetectorEntry] = {
    "superpoint": DetectorEntry(
        _build_superpoint,
        _superpoint_options,
        to_hub=lambda state: from_original(state, "huggingface"),
        from_hub=to_original,
    ),
    "aliked": DetectorEntry(lambda config: ALIKED(ALIKED_VARIANTS[config.variant]), _threshold_option),
    "disk": DetectorEntry(lambda config: DISK(DISKConfig()), _threshold_option),
    "xfeat": DetectorEntry(
        lambda config: XFeat(), _threshold_option, from_hub=lambda state: build_xfeat(state).state_dict()
    ),
}
"""`model_type` of a detector's configuration -> its row."""


def build_detector(config: DetectorConfig) -> nn.Module:
    """Build the network of a configuration, with random weights."""
    return DETECTORS[config.model_type].build(config)


def detector_to_hub(config: DetectorConfig, state_dict: Mapping[str, Tensor]) -> StateDict:
    """Rename the parameters of a detector to their names in Hugging Face files."""
    return DETECTORS[config.model_type].to_hub(state_dict)


def detector_from_hub(config: DetectorConfig, state_dict: Mapping[str, Tensor]) -> StateDict:
    """Rename tensors from Hugging Face files to the parameters of a detector.

    Raises:
        WeightsError: If a tensor is missing or unexpected.
    """
    return DETECTORS[config.model_type].from_hub(state_dict)


def detect(network: nn.Module, config: DetectorConfig, images: Sequence[Tensor]) -> list[Detection]:
    """Detect keypoints in images of any size, batched by equal shape.

    Args:
        network: Network built by `build_detector`.
        config: Configuration of the network.
        images: Images of shape (c, h, w) with values in [0, 1].

    Returns:
        One detection per image, in the order of the images.
    """
    options = DETECTORS[config.model_type].options(config)
    max_keypoints = config.max_keypoints if config.max_keypoints >= 0 else None
    if is_exporting():  # images of a graph have one size, which it leaves open
        return network(torch.stack(list(images)), max_keypoints=max_keypoints, **options)
    indices_by_shape = defaultdict(list)
    for index, image in enumerate(images):
        indices_by_shape[image.shape].append(index)
    detections: dict[int, Detection] = {}
    for indices in indices_by_shape.values():
        batch = torch.stack([images[index] for index in indices])
        detections.update(zip(indices, network(batch, max_keypoints=max_keypoints, **options), strict=True))
    return [detections[index] for index in range(len(images))]
