"""What comes out of a training: a folder that `tiepoint.load` and Hugging Face's `from_pretrained` take.

config.json, model.safetensors   extractor and matcher, in the form of `save_pretrained`
training.json                    recipe, data, versions, figures
"""

import json
from pathlib import Path
from typing import Any

import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig
from tiepoint.huggingface.configuration import ALIKEDDetectorConfig, DetectorConfig, DISKDetectorConfig
from tiepoint.io.atomic import atomic_write
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import TRAINING
from tiepoint.training.initialization import Published


def save_model(folder: Path, network: LightGlue, published: Published) -> None:
    """Write config.json and model.safetensors, each whole or not at all.

    Raises:
        InvalidInput: they can't be written.
    """
    shape = network.shape
    config = LightGlueConfig(
        keypoint_detector_config=detector_config(published),
        descriptor_dim=shape.dim,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
    )
    with torch.device("meta"):
        model = LightGlueForKeypointMatching(config)
    model.keypoint_detector, model.matcher = published.extractor.network, network
    model.save_pretrained(folder)


def detector_config(published: Published) -> DetectorConfig:
    """The extractor as Hugging Face's configuration describes it."""
    family, _, variant = published.name.partition("-")
    threshold = published.extractor.settings.detection_threshold
    if family == "aliked":
        return ALIKEDDetectorConfig(variant=variant, keypoint_threshold=threshold)
    if family == "disk":
        return DISKDetectorConfig(keypoint_threshold=threshold)
    if family == "superpoint":
        return SuperPointConfig(keypoint_threshold=threshold)
    raise InvalidInput(f"a model can hold ALIKED, DISK or SuperPoint, but not {published.name}")


def save_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write training.json."""
    path = folder / TRAINING
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path
