"""Export of a trained matcher to a folder for `tiepoint.load` and Hugging Face's `from_pretrained`.

config.json, model.safetensors   extractor and matcher, as written by `save_pretrained`
training.json                    settings, data, versions, metrics
"""

from pathlib import Path
from typing import Any

import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig
from tiepoint.huggingface.configuration.configs import (
    ALIKEDDetectorConfig,
    DetectorConfig,
    DISKDetectorConfig,
)
from tiepoint.io.serialization import write_json
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import TRAINING
from tiepoint.training.initialization import Pretrained


def save_model(folder: Path, network: LightGlue, pretrained: Pretrained) -> None:
    """Write config.json and model.safetensors, each atomically.

    Raises:
        InvalidInput: If they cannot be written, or the extractor is not supported.
    """
    shape = network.shape
    config = LightGlueConfig(
        keypoint_detector_config=detector_config(pretrained),
        descriptor_dim=shape.dim,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
    )
    with torch.device("meta"):
        model = LightGlueForKeypointMatching(config)
    model.keypoint_detector, model.matcher = pretrained.extractor.network, network
    model.save_pretrained(folder)


def detector_config(pretrained: Pretrained) -> DetectorConfig:
    """Return the Hugging Face configuration of the extractor."""
    family, _, variant = pretrained.name.partition("-")
    threshold = pretrained.extractor.settings.detection_threshold
    if family == "aliked":
        return ALIKEDDetectorConfig(variant=variant, keypoint_threshold=threshold)
    if family == "disk":
        return DISKDetectorConfig(keypoint_threshold=threshold)
    if family == "superpoint":
        return SuperPointConfig(keypoint_threshold=threshold)
    raise InvalidInput(f"cannot export the extractor {pretrained.name}; expected ALIKED, DISK or SuperPoint")


def save_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write training.json."""
    return write_json(record, folder / TRAINING)
