"""`model.safetensors` and `config.json` <-> a model; presets <-> a model. Tensors keep every bit."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration import (
    ALIKEDDetectorConfig,
    DetectorConfig,
    DISKDetectorConfig,
    LightGlueConfig,
)
from tiepoint.huggingface.detectors import DETECTORS
from tiepoint.huggingface.hub import fetch
from tiepoint.io.atomic import atomic_write
from tiepoint.models.checkpoint import load_strictly
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, from_official, to_official
from tiepoint.presets import PRESETS, Preset
from tiepoint.weights import WEIGHTS, load_state_dict

if TYPE_CHECKING:
    from tiepoint.huggingface.modeling import LightGlueForKeypointMatching

StateDict = dict[str, Tensor]

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
METADATA = {"format": "pt"}
"""Without it transformers refuses a safetensors file."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from: repository, folder or preset, and how to get there."""

    name: str | os.PathLike[str]
    revision: str | None = None
    token: str | bool | None = None
    cache_dir: str | os.PathLike[str] | None = None
    local_files_only: bool = False
    use_safetensors: bool = True
    accept_license: bool = False

    @property
    def preset(self) -> Preset | None:
        """The preset of this name, unless a folder is called so."""
        return None if Path(self.name).is_dir() else PRESETS.get(str(self.name))

    def file(self, filename: str) -> Path:
        """One of its files, fetched if need be."""
        return fetch(self.name, filename, **self.hub_options())

    def hub_options(self) -> dict[str, Any]:
        """What `fetch` and the configuration's `from_pretrained` take."""
        names = ("revision", "token", "cache_dir", "local_files_only")
        return {name: getattr(self, name) for name in names}


def load_pretrained(
    cls: Any,
    source: Source,
    config: LightGlueConfig | None,
    overrides: Mapping[str, Any],
    dtype: str | torch.dtype | None,
    device_map: Any,
) -> Any:
    """Build the model of `source`, an instance of `cls`, and fill it, strictly."""
    config = config or _config(source, overrides)
    state = _preset_state(source) if source.preset else _file_state(source)
    with torch.device("meta"):
        model = cls(config)
    fill(model, state)
    wanted = _dtype(dtype, config)
    model = model if wanted is None else model.to(wanted)
    return model if device_map is None else model.to(_device(device_map))


def save_checkpoint(model: "LightGlueForKeypointMatching", folder: str | os.PathLike[str]) -> None:
    """Write both files, each whole or not at all."""
    from safetensors.torch import save_file

    model.config.dtype = str(model.dtype).removeprefix("torch.")
    model.config.architectures = ["LightGlueForKeypointMatching"]
    model.config.save_pretrained(folder)
    with atomic_write(Path(folder).expanduser() / SAFETENSORS) as temporary:
        save_file(hub_state(model), temporary, metadata=METADATA)


def hub_state(model: "LightGlueForKeypointMatching") -> StateDict:
    """All tensors under the names of Hugging Face's files."""
    detector = _row(model.config.keypoint_detector_config).to_hub(model.keypoint_detector.state_dict())
    matcher = from_official(model.matcher.state_dict(), "huggingface")
    named = {DETECTOR_PREFIX + name: tensor for name, tensor in detector.items()} | matcher
    return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}


def fill(model: "LightGlueForKeypointMatching", state: Mapping[str, Tensor]) -> None:
    """Put tensors under the names of Hugging Face's files into a model.

    Raises:
        WeightsError: a tensor is missing, unexpected or of another shape.
    """
    detector = {n.removeprefix(DETECTOR_PREFIX): t for n, t in state.items() if n.startswith(DETECTOR_PREFIX)}
    kind = model.config.keypoint_detector_config.model_type
    load_strictly(model.matcher, to_official(state), "LightGlue")
    load_strictly(
        model.keypoint_detector, _row(model.config.keypoint_detector_config).from_hub(detector), kind
    )


def _row(config: DetectorConfig) -> Any:
    return DETECTORS[config.model_type]


def _config(source: Source, overrides: Mapping[str, Any]) -> LightGlueConfig:
    if source.preset is None:
        return LightGlueConfig.from_pretrained(source.name, **source.hub_options(), **overrides)
    detector = {"keypoint_detector_config": _preset_detector(source.preset)}
    return LightGlueConfig(**{**detector, **_preset_sizes(source.preset), **overrides})


def _preset_detector(preset: Preset) -> DetectorConfig:
    family, _, variant = preset.extractor.partition("-")
    if preset.matcher != "lightglue" or family not in ("aliked", "disk"):
        fitting = [name for name, row in PRESETS.items() if row.matcher == "lightglue"]
        raise InvalidInput(f"this preset can't be a LightGlue model; presets that can: {', '.join(fitting)}")
    return DISKDetectorConfig() if family == "disk" else ALIKEDDetectorConfig(variant=variant)


def _preset_sizes(preset: Preset) -> dict[str, int]:
    """Of the preset's LightGlue, as the table of weights says them."""
    assert preset.matcher_weights is not None
    _, dim, layers, heads = map(int, WEIGHTS[preset.matcher_weights].shape.split("/"))
    return {"descriptor_dim": dim, "num_hidden_layers": layers, "num_attention_heads": heads}


def _preset_state(source: Source) -> StateDict:
    preset = source.preset
    assert preset is not None
    assert preset.matcher_weights is not None
    key, consent = WEIGHTS[preset.extractor].group, source.accept_license
    detector = load_state_dict(preset.extractor, key=key, accept_license=consent)
    matcher = to_official(load_state_dict(preset.matcher_weights, accept_license=consent))
    detector = {DETECTOR_PREFIX + name: tensor for name, tensor in detector.items()}
    return detector | from_official(matcher, "huggingface")


def _file_state(source: Source) -> StateDict:
    try:
        path = source.file(SAFETENSORS)
    except WeightsError:
        if source.use_safetensors:
            raise
        path = source.file(PICKLE)
    return load_state_dict(path)


def _dtype(dtype: str | torch.dtype | None, config: LightGlueConfig) -> torch.dtype | None:
    """The type to convert to; None: as stored."""
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        dtype = config.to_dict().get("dtype") or config.to_dict().get("torch_dtype")
        if dtype is None:
            return None
    found = getattr(torch, str(dtype).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InvalidInput(
            f"dtype must be 'auto', 'float16', 'bfloat16', 'float32' or a torch.dtype, not {dtype!r}"
        )
    return found


def _device(device_map: Any) -> torch.device:
    if isinstance(device_map, dict):
        if set(device_map) != {""}:
            raise InvalidInput(
                f'device_map must be "auto", a device, or {{"": device}}, but is {device_map!r}'
            )
        device_map = device_map[""]
    return choose_device(f"cuda:{device_map}" if isinstance(device_map, int) else device_map)
