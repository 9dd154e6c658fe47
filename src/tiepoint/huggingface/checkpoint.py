"""Checkpoints as plain data (configuration and tensors), read from folders, repositories and presets, and written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
    LightGlueSettings,
)
from tiepoint.huggingface.detectors import DETECTORS, StateDict
from tiepoint.huggingface.hub import HubOptions, fetch
from tiepoint.io.atomic import atomic_write
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, from_official, to_official
from tiepoint.presets import PRESETS, Preset
from tiepoint.weights import WEIGHTS, load_state_dict

SAFETENSORS_FILE, PICKLE_FILE = "model.safetensors", "pytorch_model.bin"

SAFETENSORS_METADATA = {"format": "pt"}
"""Metadata without which transformers rejects a safetensors file."""


Device = str | int | torch.device
DeviceMap = Device | dict[str, Device]
"""Device, "auto", GPU index, or {"": device}."""


class LoadingOptions(HubOptions, LightGlueSettings, total=False):
    """Keyword options of `AutoModelForKeypointMatching.from_pretrained`, with settings of the configuration.

    Attributes:
        config: Configuration that replaces the stored one.
        dtype: Floating-point type; "auto" and None keep the stored one.
        torch_dtype: Former name of `dtype` in transformers.
        device_map: Device, "auto", or {"": device}; None means the CPU.
        use_safetensors: False also accepts `pytorch_model.bin`, a pickle, which is read without executing code.
        accept_license: Accept weights of a preset whose license does not allow commercial use.
    """

    config: LightGlueConfig | None
    dtype: str | torch.dtype | None
    torch_dtype: str | torch.dtype | None
    device_map: DeviceMap | None
    use_safetensors: bool
    accept_license: bool


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """Location of a checkpoint.

    Attributes:
        name: Preset, local folder, or repository name "owner/name".
        hub_options: Options of downloads from the hub.
        use_safetensors: Whether only `model.safetensors` is accepted; False also accepts `pytorch_model.bin`.
        accept_license: Accept weights of a preset whose license does not allow commercial use.
    """

    name: str | os.PathLike[str]
    hub_options: HubOptions = field(default_factory=HubOptions)
    use_safetensors: bool = True
    accept_license: bool = False

    @property
    def preset(self) -> Preset | None:
        """Preset of this name; a local folder of the same name takes precedence."""
        return None if Path(self.name).is_dir() else PRESETS.get(str(self.name))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Content of a checkpoint.

    Attributes:
        config: Configuration of the model.
        state_dict: Tensors by their names in Hugging Face files, as stored.
    """

    config: LightGlueConfig
    state_dict: StateDict


def read_checkpoint(
    source: CheckpointSource, config: LightGlueConfig | None, overrides: Mapping[str, Any]
) -> Checkpoint:
    """Read the configuration and the tensors of a checkpoint.

    Args:
        source: Location of the checkpoint.
        config: Configuration that replaces the stored one; None reads it.
        overrides: Settings that override those of the stored configuration.

    Raises:
        InvalidInput: If the configuration is invalid or the preset has no LightGlue.
        WeightsError: If a file is not found, cannot be downloaded, or is corrupted.
    """
    preset = source.preset
    if preset is not None:
        config = config or _preset_config(preset, overrides)
        return Checkpoint(config, _read_preset_weights(preset, source.accept_license))
    config = config or LightGlueConfig.from_pretrained(source.name, **source.hub_options, **overrides)
    return Checkpoint(config, load_state_dict(_weights_file(source)))


def write_checkpoint(
    config: LightGlueConfig, state_dict: Mapping[str, Tensor], folder: str | os.PathLike[str]
) -> None:
    """Write `config.json` and `model.safetensors`, each of them atomically.

    Args:
        config: Configuration of the model.
        state_dict: Tensors by their names in Hugging Face files.
        folder: Folder to write to; it is created if necessary.

    Raises:
        InvalidInput: If a file cannot be written.
    """
    from safetensors.torch import save_file

    config.save_pretrained(folder)
    with atomic_write(Path(folder).expanduser() / SAFETENSORS_FILE) as temporary:
        save_file(dict(state_dict), temporary, metadata=SAFETENSORS_METADATA)


def join_state_dict(
    matcher: Mapping[str, Tensor], detector: Mapping[str, Tensor], config: DetectorConfig
) -> StateDict:
    """Combine the tensors of LightGlue and of its detector under their names in Hugging Face files."""
    detector = DETECTORS[config.model_type].to_hub(detector)
    prefixed = {DETECTOR_PREFIX + name: tensor for name, tensor in detector.items()}
    return prefixed | from_official(matcher, "huggingface")


def split_state_dict(state_dict: Mapping[str, Tensor], config: DetectorConfig) -> tuple[StateDict, StateDict]:
    """Return the tensors of LightGlue and of its detector under the names of their networks.

    Raises:
        WeightsError: If a tensor of LightGlue is missing or unexpected.
    """
    detector = {
        name.removeprefix(DETECTOR_PREFIX): tensor
        for name, tensor in state_dict.items()
        if name.startswith(DETECTOR_PREFIX)
    }
    return to_official(state_dict), DETECTORS[config.model_type].from_hub(detector)


def resolve_dtype(dtype: str | torch.dtype | None, config: LightGlueConfig) -> torch.dtype | None:
    """Return the dtype to convert a model to; None keeps the stored one.

    Args:
        dtype: Floating-point type or its name; "auto" reads it from the configuration.
        config: Configuration of the model.

    Raises:
        InvalidInput: If the name is not a floating-point type.
    """
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        dtype = config.to_dict().get("dtype") or config.to_dict().get("torch_dtype")
        if dtype is None:
            return None
    found = getattr(torch, str(dtype).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InvalidInput(
            f"dtype must be 'auto', 'float16', 'bfloat16', 'float32' or a torch.dtype, got {dtype!r}"
        )
    return found


def resolve_device_map(device_map: DeviceMap) -> torch.device:
    """Return the device of a `device_map`.

    Raises:
        InvalidInput: If the model would be split over devices, or the device is not available.
    """
    if isinstance(device_map, dict) and set(device_map) != {""}:
        raise InvalidInput(f'device_map must be "auto", a device, or {{"": device}}, got {device_map!r}')
    device = device_map[""] if isinstance(device_map, dict) else device_map
    return choose_device(f"cuda:{device}" if isinstance(device, int) else device)


def _preset_config(preset: Preset, overrides: Mapping[str, Any]) -> LightGlueConfig:
    detector = {"keypoint_detector_config": _preset_detector(preset)}
    return LightGlueConfig(**{**detector, **_preset_shape(preset), **overrides})


def _preset_detector(preset: Preset) -> DetectorConfig:
    family, _, variant = preset.extractor.partition("-")
    if preset.matcher != "lightglue" or family not in ("aliked", "disk"):
        available = [name for name, row in PRESETS.items() if row.matcher == "lightglue"]
        raise InvalidInput(
            f"this preset has no LightGlue model (extractor {preset.extractor!r}, matcher {preset.matcher!r}); "
            f"available: {', '.join(available)}"
        )
    return DISKDetectorConfig() if family == "disk" else ALIKEDDetectorConfig(variant=variant)


def _preset_shape(preset: Preset) -> dict[str, int]:
    """Return the shape of the preset's LightGlue from the table of weights."""
    assert preset.matcher_weights is not None
    _, dim, layers, heads = map(int, WEIGHTS[preset.matcher_weights].shape.split("/"))
    return {"descriptor_dim": dim, "num_hidden_layers": layers, "num_attention_heads": heads}


def _read_preset_weights(preset: Preset, accept_license: bool) -> StateDict:
    assert preset.matcher_weights is not None
    detector = load_state_dict(
        preset.extractor, key=WEIGHTS[preset.extractor].group, accept_license=accept_license
    )
    matcher = to_official(load_state_dict(preset.matcher_weights, accept_license=accept_license))
    prefixed = {DETECTOR_PREFIX + name: tensor for name, tensor in detector.items()}
    return prefixed | from_official(matcher, "huggingface")


def _weights_file(source: CheckpointSource) -> Path:
    try:
        return fetch(source.name, SAFETENSORS_FILE, **source.hub_options)
    except WeightsError:
        if source.use_safetensors:
            raise
        return fetch(source.name, PICKLE_FILE, **source.hub_options)
