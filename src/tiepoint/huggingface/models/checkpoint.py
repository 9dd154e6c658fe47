"""Checkpoints as plain data (tensors by name), read from folders, repositories and presets, and written."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration.configs import find_preset
from tiepoint.huggingface.configuration.model_config import ModelConfig, as_dtype
from tiepoint.huggingface.configuration.settings import read_json
from tiepoint.huggingface.hub import HubOptions, fetch
from tiepoint.io.atomic import atomic_write
from tiepoint.io.serialization import write_json
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, from_official
from tiepoint.models.lightglue.families import FAMILIES
from tiepoint.models.lightglue.recognition import OWN_FAMILY, recognize
from tiepoint.presets import Preset
from tiepoint.weights import WEIGHTS, load_state_dict
from tiepoint.weights.checkpoints import read_metadata

StateDict = dict[str, Tensor]

SAFETENSORS_METADATA = {"format": "pt"}
"""Metadata without which transformers rejects a safetensors file."""

DEFAULT_SHARD_SIZE = "50GB"
"""Maximum size of a file, as in transformers."""

Device = str | int | torch.device
DeviceMap = Device | dict[str, Device]
"""Device, "auto", GPU index, or {"": device}."""


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """Location of a checkpoint.

    Attributes:
        name: Preset, local folder, or repository name "owner/name".
        hub_options: Options of downloads from the hub.
        use_safetensors: Whether only safetensors files are accepted; False also accepts `pytorch_model.bin`.
        variant: Part of the file name, as in `model.fp16.safetensors`.
        accept_license: Accept weights of a preset whose license does not allow commercial use.
    """

    name: str | os.PathLike[str]
    hub_options: HubOptions = field(default_factory=HubOptions)
    use_safetensors: bool = True
    variant: str | None = None
    accept_license: bool = False

    @property
    def preset(self) -> Preset | None:
        """Preset of this name; a local folder of the same name takes precedence."""
        return find_preset(self.name)

    def read(self) -> StateDict:
        """Read all tensors, by their names in Hugging Face files.

        Raises:
            WeightsError: If a file is not found, cannot be downloaded, or is corrupted.
        """
        if self.preset is not None:
            return _read_preset_weights(self.preset, self.accept_license)
        try:
            path = fetch(self.name, file_name("model", self.variant), **self.hub_options)
        except WeightsError as error:
            return self._read_other_files(error)
        _check_family(path)
        return load_state_dict(path)

    def _read_other_files(self, error: WeightsError) -> StateDict:
        """Read shards, or a pickle if it is allowed; otherwise raise the error about the single file."""
        if (index := self._fetch_index()) is not None:
            return self._read_shards(index)
        if self.use_safetensors:
            raise error
        name = file_name("pytorch_model", self.variant, "bin")
        return load_state_dict(fetch(self.name, name, **self.hub_options))

    def _fetch_index(self) -> Path | None:
        try:
            return fetch(self.name, index_name(self.variant), **self.hub_options)
        except WeightsError:
            return None

    def _read_shards(self, index: Path) -> StateDict:
        names = read_json(index).get("weight_map")
        if not isinstance(names, dict):
            raise WeightsError(f"{index} has no weight_map; download or write the checkpoint again")
        state: StateDict = {}
        for shard in sorted(set(names.values())):
            state |= load_state_dict(fetch(self.name, shard, **self.hub_options))
        return state


def _check_family(path: Path) -> None:
    """Refuse our own files of families that the names of Hugging Face cannot hold: they would compute something else."""
    family = FAMILIES.get(read_metadata(path).get(OWN_FAMILY, ""))
    if family is not None and family.switches:
        raise WeightsError(
            f"{path} is a LightGlue of the family {family.name}, which Hugging Face's model has no configuration for; load it "
            "with tiepoint.load(matcher_weights=...) or tiepoint.load_matcher"
        )


def file_name(stem: str, variant: str | None, suffix: str = "safetensors") -> str:
    """Return the name of a weights file, such as `model.fp16.safetensors`."""
    return f"{stem}.{variant}.{suffix}" if variant else f"{stem}.{suffix}"


def index_name(variant: str | None) -> str:
    """Return the name of the file that lists the shards of a checkpoint."""
    return f"model.safetensors.index.{variant}.json" if variant else "model.safetensors.index.json"


def write_checkpoint(
    config: ModelConfig,
    state_dict: Mapping[str, Tensor],
    folder: str | os.PathLike[str],
    *,
    variant: str | None = None,
    max_shard_size: int | str = DEFAULT_SHARD_SIZE,
) -> None:
    """Write `config.json` and `model.safetensors`, each of them atomically.

    Args:
        config: Configuration of the model.
        state_dict: Tensors by their names in Hugging Face files.
        folder: Folder to write to; it is created if necessary.
        variant: Part of the file name, as in `model.fp16.safetensors`.
        max_shard_size: Maximum size of a file in bytes, or with a unit ("200MB"); larger checkpoints are split into
            files listed in `model.safetensors.index.json`.

    Raises:
        InvalidInput: If a file cannot be written.
    """
    from huggingface_hub import split_torch_state_dict_into_shards

    target = Path(folder).expanduser()
    config.save_pretrained(target)
    pattern = file_name("model{suffix}", variant)
    plan = split_torch_state_dict_into_shards(
        dict(state_dict), filename_pattern=pattern, max_shard_size=max_shard_size
    )
    for name, tensors in plan.filename_to_tensors.items():
        _write_tensors({tensor: state_dict[tensor] for tensor in tensors}, target / name)
    if plan.is_sharded:
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        write_json(index, target / index_name(variant))


def _write_tensors(state_dict: StateDict, path: Path) -> None:
    from safetensors.torch import save_file

    with atomic_write(path) as temporary:
        save_file(state_dict, temporary, metadata=SAFETENSORS_METADATA)


def resolve_dtype(dtype: str | torch.dtype | None, config: ModelConfig) -> torch.dtype | None:
    """Return the dtype to convert a model to; None keeps the stored one.

    Args:
        dtype: Floating-point type or its name; "auto" reads it from the configuration.
        config: Configuration of the model.

    Raises:
        InvalidInput: If the name is not a floating-point type.
    """
    if dtype == "auto":
        return config.dtype
    return None if dtype is None else as_dtype(dtype)


def resolve_device_map(device_map: DeviceMap) -> torch.device:
    """Return the device of a `device_map`.

    Raises:
        InvalidInput: If the model would be split over devices, or the device is not available.
    """
    if isinstance(device_map, dict) and set(device_map) != {""}:
        raise InvalidInput(f'device_map must be "auto", a device, or {{"": device}}, got {device_map!r}')
    device: Any = device_map[""] if isinstance(device_map, dict) else device_map
    return choose_device(f"cuda:{device}" if isinstance(device, int) else device)


def _read_preset_weights(preset: Preset, accept_license: bool) -> StateDict:
    assert preset.matcher_weights is not None
    detector = load_state_dict(
        preset.extractor, key=WEIGHTS[preset.extractor].group, accept_license=accept_license
    )
    matcher = recognize(load_state_dict(preset.matcher_weights, accept_license=accept_license)).tensors
    prefixed = {DETECTOR_PREFIX + name: tensor for name, tensor in detector.items()}
    return prefixed | from_official(matcher, "huggingface")
