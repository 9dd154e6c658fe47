"""Export of a trained matcher to a folder for `tiepoint.load` and Hugging Face's `from_pretrained`.

config.json, model.safetensors   extractor and matcher, as written by `save_pretrained`; for given features model.safetensors
                                 alone, the matcher
training.json                    settings, data, versions, metrics
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig
from tiepoint.huggingface.configuration.configs import PRESET_DETECTORS, DetectorConfig
from tiepoint.io.atomic import atomic_write
from tiepoint.io.serialization import write_json
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.recognition import OWN_FAMILY
from tiepoint.presets import DEFAULT_PRESET, GIVEN, MODEL, PRESETS, TRAINING, preset_for_extractor
from tiepoint.training.initialization import Pretrained

DETECTORS = PRESET_DETECTORS | {"superpoint": lambda variant: SuperPointConfig()}
"""Family of an extractor -> function from its variant to a configuration."""


def save_model(folder: Path, network: LightGlue, pretrained: Pretrained) -> None:
    """Write config.json and model.safetensors, each atomically.

    Raises:
        InvalidInput: If they cannot be written, or the extractor is not supported.
    """
    if pretrained.name == GIVEN:
        _save_matcher(folder, network)
        return
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


def _save_matcher(folder: Path, network: LightGlue) -> None:
    """Write model.safetensors for `tiepoint.load_matcher`: given features have no extractor to save."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_write(folder / MODEL) as temporary:
        save_file(tensors, temporary, {"format": "pt", OWN_FAMILY: "official"})


def check_extractor(name: str) -> None:
    """Check that a model with this extractor can be saved.

    Args:
        name: Name of the extractor.

    Raises:
        InvalidInput: If there is no configuration for it.
    """
    if name.partition("-")[0] not in DETECTORS:
        raise InvalidInput(
            f"cannot save a model with the extractor {name}; expected one of {', '.join(DETECTORS)}"
        )


def detector_config(pretrained: Pretrained) -> DetectorConfig:
    """Return the Hugging Face configuration of the extractor."""
    check_extractor(pretrained.name)
    family, _, variant = pretrained.name.partition("-")
    config = DETECTORS[family](variant)
    config.keypoint_threshold = pretrained.extractor.settings.detection_threshold
    return config


def save_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write training.json."""
    return write_json(record, folder / TRAINING)
