"""Export of a trained matcher to a folder for `tiepoint.load` and Hugging Face's `from_pretrained`.

config.json, model.safetensors   extractor and matcher, as written by `save_pretrained`
training.json                    settings, data, versions, metrics
"""

from pathlib import Path
from typing import Any

import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig
from tiepoint.huggingface.configuration.configs import PRESET_DETECTORS, DetectorConfig
from tiepoint.io.serialization import write_json
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import DEFAULT_PRESET, PRESETS, TRAINING, preset_for_extractor
from tiepoint.training.initialization import Pretrained

DETECTORS = PRESET_DETECTORS | {"superpoint": lambda variant: SuperPointConfig()}
"""Family of an extractor -> function from its variant to a configuration."""


def save_model(folder: Path, network: LightGlue, pretrained: Pretrained) -> None:
    """Write config.json and model.safetensors, each atomically.

    Raises:
        InvalidInput: If they cannot be written, or the extractor is not supported.
    """
    shape, published = network.shape, preset_for_extractor(pretrained.name) or DEFAULT_PRESET
    config = LightGlueConfig(
        keypoint_detector_config=detector_config(pretrained),
        descriptor_dim=shape.dim,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        depth_confidence=PRESETS[published].depth_confidence,
        width_confidence=PRESETS[published].width_confidence,
    )
    with torch.device("meta"):
        model = LightGlueForKeypointMatching(config)
    model.keypoint_detector, model.matcher = pretrained.extractor.network, network
    model.save_pretrained(folder)


def detector_config(pretrained: Pretrained) -> DetectorConfig:
    """Return the Hugging Face configuration of the extractor."""
    family, _, variant = pretrained.name.partition("-")
    if family not in DETECTORS:
        raise InvalidInput(
            f"cannot export the extractor {pretrained.name}; expected one of {', '.join(DETECTORS)}"
        )
    config = DETECTORS[family](variant)
    config.keypoint_threshold = pretrained.extractor.settings.detection_threshold
    return config


def save_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write training.json."""
    return write_json(record, folder / TRAINING)
