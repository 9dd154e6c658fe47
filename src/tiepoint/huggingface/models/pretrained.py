"""PreTrainedModel: loading, saving and counting, the same for all models, as in transformers."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, Unpack

import torch
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.model_config import ModelConfig
from tiepoint.huggingface.hub import HubOptions, PushOptions, push_folder
from tiepoint.huggingface.loader_options import check_attention, split_options
from tiepoint.huggingface.models.checkpoint import (
    DEFAULT_SHARD_SIZE,
    CheckpointSource,
    DeviceMap,
    StateDict,
    resolve_device_map,
    resolve_dtype,
    write_checkpoint,
)
from tiepoint.huggingface.options import warn
from tiepoint.models.checkpoint import load_strictly

M = TypeVar("M", bound="PreTrainedModel")
Name = str | os.PathLike[str]


class Mismatch(NamedTuple):
    """Tensor that was not loaded since its shape is not that of the model."""

    name: str
    stored: tuple[int, ...]
    expected: tuple[int, ...]


class PreTrainedModel(nn.Module):
    """Base class of the models.

    Parameters have the names of tiepoint's networks; files have those of transformers. `load_state_dict` accepts both.

    Args:
        config: Configuration of the model. Weights are random until they are loaded.

    Attributes:
        config: Configuration of the model.

    Raises:
        InvalidInput: If the configuration is of another model, or the network does not support it.
    """

    config_class: ClassVar[Any]
    base_model_prefix: ClassVar[str]
    main_input_name: ClassVar[str] = "pixel_values"
    input_modalities: ClassVar[tuple[str, ...]] = ("image",)
    supports_gradient_checkpointing: ClassVar[bool] = False
    config: Any

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = as_config(self.config_class, config)
        self.register_load_state_dict_pre_hook(_accept_hub_names)

    def to_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename the parameters of the model to their names in Hugging Face files."""
        raise NotImplementedError

    def from_hub_names(self, state_dict: Mapping[str, Tensor]) -> StateDict:
        """Rename tensors from Hugging Face files to the parameters of the model.

        The network may change its form: LightGlue separates the projections of queries and keys if they differ.

        Raises:
            WeightsError: If a tensor is missing or unexpected.
        """
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the computation; keypoints are always float32."""
        return next(self.parameters()).dtype

    @property
    def name_or_path(self) -> str:
        """Folder, repository or preset that the model was loaded from."""
        return self.config.name_or_path

    @property
    def base_model(self) -> nn.Module:
        """The model itself."""
        return self

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether activations are recomputed; not supported."""
        return False

    @classmethod
    def can_generate(cls) -> bool:
        """Return False: the model does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Count the values of all parameters.

        Args:
            only_trainable: Count only parameters that require gradients.
            exclude_embeddings: Without effect: the model has no embeddings.
        """
        return sum(
            parameter.numel()
            for parameter in self.parameters()
            if parameter.requires_grad or not only_trainable
        )

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Return the size of the parameters, and of the buffers if wanted, in bytes."""
        tensors = [*self.parameters(), *(self.buffers() if return_buffers else ())]
        return sum(tensor.nbytes for tensor in tensors)

    def get_input_embeddings(self) -> nn.Module:
        """Raise NotImplementedError: the input is an image."""
        raise NotImplementedError(f"{type(self).__name__} has no input embeddings: its input is an image")

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Any = None) -> None:
        """Raise ValueError, as transformers does: gradient checkpointing is not supported."""
        raise InvalidInput(
            f"{type(self).__name__} does not support gradient checkpointing; use tiepoint.train"
        )

    def gradient_checkpointing_disable(self) -> None:
        """Do nothing: gradient checkpointing is never enabled."""

    def set_attn_implementation(self, attn_implementation: str) -> None:
        """Accept "eager" and "sdpa", whose results are the same.

        Raises:
            InvalidInput: If another implementation is asked for.
        """
        self.config.attn_implementation = attn_implementation

    def init_weights(self) -> None:
        """Initialize all weights randomly."""
        self.apply(self._init_weights)

    def tie_weights(self, **_: Any) -> None:
        """Do nothing: no weights are tied."""

    def post_init(self) -> None:
        """Do nothing: weights are initialized by the constructor."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Name | None,
        *,
        config: Any = None,
        state_dict: Mapping[str, Tensor] | None = None,
        dtype: str | torch.dtype | None = None,
        torch_dtype: str | torch.dtype | None = None,
        device_map: DeviceMap | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = True,
        **options: Any,
    ) -> Any:
        """Load a model, in evaluation mode.

        Args:
            pretrained_model_name_or_path: Repository name "owner/name", local folder, or preset with LightGlue
                ("aliked+lightglue"); None with `config` and `state_dict`.
            config: Configuration that replaces the stored one: an object of tiepoint or transformers, a dict, or a
                folder, file or repository.
            state_dict: Tensors that replace the stored ones, under the names of files or of parameters.
            dtype: "float16", "bfloat16", "float32" or a torch.dtype; "auto" and None keep the stored one.
            torch_dtype: Former name of `dtype` in transformers.
            device_map: "auto", a device, or {"": device}; None means the CPU.
            ignore_mismatched_sizes: Keep random weights where the shape of a stored tensor is not that of the model.
            output_loading_info: Return the model and a dict of the keys that were not loaded.
            use_safetensors: False also accepts `pytorch_model.bin`, a pickle, which is read without executing code.
            **options: Options of `tiepoint.huggingface.hub.HubOptions`; `variant`, a part of the file name;
                `accept_license`, for weights of a preset whose license does not allow commercial use; and settings
                that override those of the configuration.

        Raises:
            InvalidInput: If the configuration is of another model, or a setting or option is invalid or unknown.
            WeightsError: If a file is not found or cannot be downloaded, or a tensor is missing, unexpected or has
                the wrong shape.
        """
        function = f"{cls.__name__}.from_pretrained"
        check_attention(function, options.pop("attn_implementation", None))
        own, overrides = split_options(
            function, options, SOURCE_OPTIONS, cls.config_class._setting_names() - {"dtype", "torch_dtype"}
        )
        variant, accept_license = own.pop("variant", None), own.pop("accept_license", False)
        hub_options = HubOptions(**own)
        resolved = cls._resolve_config(pretrained_model_name_or_path, config, hub_options, overrides)
        if state_dict is None:
            source = CheckpointSource(
                _check_name(pretrained_model_name_or_path),
                hub_options,
                use_safetensors is not False,
                variant,
                accept_license,
            )
            state_dict = source.read()
        else:
            state_dict = {name: tensor.detach().clone() for name, tensor in state_dict.items()}
        model, mismatches = cls._build(resolved, state_dict, ignore_mismatched_sizes)
        model = model.to(dtype=resolve_dtype(torch_dtype if dtype is None else dtype, resolved))
        model = model if device_map is None else model.to(resolve_device_map(device_map))
        model.config.dtype = model.dtype
        model.config.name_or_path = pretrained_model_name_or_path or ""
        return (model.eval(), _loading_info(mismatches)) if output_loading_info else model.eval()

    @classmethod
    def _from_config(
        cls: type[M], config: Any, *, dtype: str | torch.dtype | None = None, **options: Any
    ) -> M:
        """Build a model with random weights; see `AutoModel.from_config`."""
        check_attention("from_config", options.pop("attn_implementation", None))
        split_options(f"{cls.__name__}.from_config", options, (), ())
        resolved = as_config(cls.config_class, config)
        return cls(resolved).to(dtype=resolve_dtype(dtype, resolved))

    def save_pretrained(
        self,
        save_directory: Name,
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        push_to_hub: bool = False,
        *,
        max_shard_size: int | str = DEFAULT_SHARD_SIZE,
        variant: str | None = None,
        **options: Any,
    ) -> None:
        """Write `config.json` and `model.safetensors`, which transformers can load if the detector is SuperPoint.

        Args:
            save_directory: Folder to write to; it is created if necessary.
            is_main_process: False writes nothing, for all but one of several processes.
            state_dict: Tensors to write instead of those of the model, for example an average.
            push_to_hub: Upload the folder too.
            max_shard_size: Maximum size of a file in bytes, or with a unit ("200MB").
            variant: Part of the file name, as in `model.fp16.safetensors`.
            **options: `repo_id`, by default the name of the folder, and options of `push_to_hub`.

        Raises:
            InvalidInput: If the files cannot be written, or an option is unknown.
            WeightsError: If the hub cannot be reached or rejects the upload.
        """
        own, _ = split_options(f"{type(self).__name__}.save_pretrained", options, SAVING_OPTIONS, ())
        if not is_main_process:
            return
        self.config.dtype = self.dtype
        self.config.architectures = [type(self).__name__]
        write_checkpoint(
            self.config,
            self.hub_state_dict(state_dict),
            save_directory,
            variant=variant,
            max_shard_size=max_shard_size,
        )
        if push_to_hub:
            repo_id = own.pop("repo_id", None) or Path(save_directory).name
            own = {name: value for name, value in own.items() if name in PushOptions.__annotations__}
            push_folder(save_directory, repo_id, **own)

    def push_to_hub(self, repo_id: str, **options: Unpack[PushOptions]) -> str:
        """Upload the model; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    def hub_state_dict(self, state_dict: Mapping[str, Tensor] | None = None) -> StateDict:
        """Return tensors by their names in Hugging Face files, detached, contiguous and on the CPU.

        Args:
            state_dict: Tensors under the names of files or of parameters; None means those of the model.
        """
        state = self.state_dict() if state_dict is None else state_dict
        named = self.to_hub_names(state) if self._has_own_names(state) else state
        return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}

    def load_hub_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load all tensors, under the names of files or of parameters; the model takes over their memory.

        Raises:
            WeightsError: If a tensor is missing, unexpected or has the wrong shape.
        """
        own = dict(state_dict) if self._has_own_names(state_dict) else self.from_hub_names(state_dict)
        load_strictly(self, own, type(self).__name__)

    @classmethod
    def _resolve_config(
        cls, name: Name | None, config: Any, hub_options: HubOptions, overrides: dict[str, Any]
    ) -> ModelConfig:
        """Return the stored or the given configuration, with overrides; a given object is not changed."""
        if config is None or isinstance(config, str | os.PathLike):
            source = _check_name(name) if config is None else config
            return cls.config_class.from_pretrained(source, **hub_options, **overrides)
        return cls.config_class.from_dict(as_config(cls.config_class, config).to_dict(), **overrides)

    @classmethod
    def _build(
        cls: type[M], config: ModelConfig, state_dict: Mapping[str, Tensor], ignore_mismatched_sizes: bool
    ) -> tuple[M, list[Mismatch]]:
        """Build a model with the tensors of a checkpoint, and random ones where shapes differ if that is allowed."""
        state_dict = cls._adapt(config, state_dict)
        mismatches: list[Mismatch] = []
        if ignore_mismatched_sizes:
            state_dict, mismatches = _replace_mismatched(state_dict, cls(config).hub_state_dict())
        with torch.device("meta"):
            model = cls(config)
        model.load_hub_state_dict(state_dict)
        return model, mismatches

    @classmethod
    def _adapt(cls, config: Any, state_dict: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Convert a checkpoint to what the network supports, and update the configuration accordingly."""
        return state_dict

    def _has_own_names(self, state_dict: Mapping[str, Tensor]) -> bool:
        """Return whether tensors have the names of parameters, not those of Hugging Face files."""
        own = {name.partition(".")[0] for name, _ in self.named_parameters()} - {"keypoint_detector"}
        return any(name.partition(".")[0] in own for name in state_dict)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


SOURCE_OPTIONS = (*HubOptions.__annotations__, "variant", "accept_license")
"""Options of `from_pretrained` that say where the files are."""

SAVING_OPTIONS = (
    *PushOptions.__annotations__,
    "repo_id",
    "safe_serialization",
    "save_peft_format",
    "save_original_format",
)
"""Options of `save_pretrained`; the last three choose among formats that are all `model.safetensors` here."""


def as_config(config_class: type[ModelConfig], config: Any) -> Any:
    """Return a configuration given as an object, as a dict, or as an object of transformers.

    Raises:
        InvalidInput: If it is of another type or model.
    """
    if isinstance(config, config_class):
        return config
    if hasattr(config, "to_dict"):
        config = config.to_dict()
    if not isinstance(config, dict):
        raise InvalidInput(f"config must be a {config_class.__name__} or a dict, got {type(config).__name__}")
    return config_class.from_dict(config)


def _check_name(name: Name | None) -> Name:
    if name is None:
        raise InvalidInput(
            "from_pretrained(None) requires config= and state_dict=; pass a folder, a repository name or a preset"
        )
    return name


def _accept_hub_names(model: PreTrainedModel, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Rename tensors from Hugging Face files before `load_state_dict` looks at them."""
    own = {name.removeprefix(prefix): state_dict[name] for name in state_dict if name.startswith(prefix)}
    if not own or model._has_own_names(own):
        return
    renamed = model.from_hub_names(own)
    for name in own:
        del state_dict[prefix + name]
    state_dict.update({prefix + name: tensor for name, tensor in renamed.items()})


def _replace_mismatched(
    state_dict: Mapping[str, Tensor], expected: StateDict
) -> tuple[StateDict, list[Mismatch]]:
    mismatches = [
        Mismatch(name, tuple(tensor.shape), tuple(expected[name].shape))
        for name, tensor in state_dict.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if mismatches:
        warn(f"weights of other shapes stay random: {', '.join(mismatch.name for mismatch in mismatches)}")
    return dict(state_dict) | {mismatch.name: expected[mismatch.name] for mismatch in mismatches}, mismatches


def _loading_info(mismatches: list[Mismatch]) -> dict[str, Any]:
    """Return what transformers reports; missing and unexpected tensors are errors here."""
    return {
        "missing_keys": set(),
        "unexpected_keys": set(),
        "mismatched_keys": {tuple(mismatch) for mismatch in mismatches},
        "error_msgs": [],
    }
