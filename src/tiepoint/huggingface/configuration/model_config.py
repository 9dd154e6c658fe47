"""ModelConfig: what the configurations of all models have in common, as in transformers' `PreTrainedConfig`."""

import os
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.settings import CONVERTERS, Settings, to_text, write_text
from tiepoint.huggingface.loader_options import HUB_OPTION_NAMES, check_attention

DEFAULT_LABELS = {0: "LABEL_0", 1: "LABEL_1"}
"""Labels of a model without classes in transformers."""


@dataclass(init=False, eq=False, repr=False)
class ModelConfig(Settings):
    """Content of a config.json; `model_type` names the model.

    Attributes:
        architectures: Class names of the models that use the configuration.
        transformers_version: Version of transformers that wrote the file.
        output_hidden_states: Whether the model returns hidden states by default.
        output_attentions: Whether the model returns attention weights by default.
        return_dict: Whether the model returns an object by default; False returns a tuple.
        dtype: Floating-point type of the stored weights.
        chunk_size_feed_forward: Without effect; for compatibility.
        is_encoder_decoder: Without effect; for compatibility.
        id2label: Labels by class; without effect, for compatibility.
        label2id: Inverse of `id2label`.
        problem_type: Without effect; for compatibility.
    """

    filename: ClassVar[str] = "config.json"
    type_key: ClassVar[str] = "model_type"
    model_type: ClassVar[str] = ""
    type_names: ClassVar[tuple[str, ...]] = ("",)
    attribute_map: ClassVar[dict[str, str]] = {}
    has_no_defaults_at_init: ClassVar[bool] = False
    sub_configs: ClassVar[dict[str, type]] = {}

    architectures: list[str] | None = None
    transformers_version: str | None = None
    output_hidden_states: bool = False
    output_attentions: bool = False
    return_dict: bool = True
    dtype: torch.dtype | None = None
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    id2label: dict[int, str] = field(default_factory=lambda: dict(DEFAULT_LABELS))
    label2id: dict[str, int] = field(
        default_factory=lambda: {name: key for key, name in DEFAULT_LABELS.items()}
    )
    problem_type: str | None = None

    def __init_subclass__(cls) -> None:
        cls.type_names = (cls.model_type,)

    @property
    def name_or_path(self) -> str:
        """Folder, repository or preset that the configuration was loaded from; never written."""
        return self.__dict__.get("_name_or_path", "")

    @name_or_path.setter
    def name_or_path(self, value: str | os.PathLike[str]) -> None:
        self._name_or_path = str(value)

    @property
    def num_labels(self) -> int:
        """Number of classes; setting it renames them."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, value: int) -> None:
        if value != self.num_labels:
            self.id2label = {index: f"LABEL_{index}" for index in range(value)}
            self.label2id = {name: index for index, name in self.id2label.items()}

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """Former name of `dtype`."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, value: str | torch.dtype | None) -> None:
        self.dtype = value  # type: ignore[assignment]  # converted

    @property
    def use_return_dict(self) -> bool:
        """Former name of `return_dict`."""
        return self.return_dict

    @property
    def attn_implementation(self) -> str | None:
        """Attention implementation that was asked for; "eager" and "sdpa" give the same results."""
        return self.__dict__.get("_attn_implementation")

    @attn_implementation.setter
    def attn_implementation(self, value: str | None) -> None:
        check_attention(type(self).__name__, value)
        self._attn_implementation = value

    def to_dict(self) -> dict[str, Any]:
        """Return all settings (unknown and derived ones included) and the type as JSON values."""
        implementation = self.attn_implementation
        return super().to_dict() | ({"attn_implementation": implementation} if implementation else {})

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> "ModelConfig":
        """Return the configuration itself: the model has no text part."""
        return self

    def to_diff_dict(self) -> dict[str, Any]:
        """Return `to_dict` without the common settings that have their default; the content of config.json."""
        values = self.to_dict()
        common = _common_defaults()
        values = {
            name: value for name, value in values.items() if name not in common or value != common[name]
        }
        for name in values:
            if isinstance(nested := getattr(self, name, None), ModelConfig):
                values[name] = nested.to_diff_dict()
        return values

    def to_json_string(self, use_diff: bool = True) -> str:
        """Return the configuration as JSON.

        Args:
            use_diff: Leave out common settings that have their default, as config.json does.
        """
        return to_text(self.to_diff_dict() if use_diff else self.to_dict())

    def to_json_file(self, json_file_path: str | os.PathLike[str], use_diff: bool = True) -> None:
        """Write a JSON file of any name.

        Args:
            json_file_path: Path of the file.
            use_diff: Leave out common settings that have their default, as config.json does.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        write_text(json_file_path, self.to_json_string(use_diff))

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **options: Any
    ) -> None:
        """Write config.json; arguments and errors as for `Settings.save_pretrained`."""
        super().save_pretrained(save_directory, push_to_hub, **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> Any:
        """Read config.json; arguments and errors as for `Settings.from_pretrained`."""
        loaded = super().from_pretrained(pretrained_model_name_or_path, **options)
        config = loaded[0] if isinstance(loaded, tuple) else loaded
        config.name_or_path = pretrained_model_name_or_path
        return loaded

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read config.json as a dict.

        Args:
            pretrained_model_name_or_path: Local folder or JSON file, repository name "owner/name", or preset.
            **options: Options of `tiepoint.huggingface.hub.HubOptions`.

        Returns:
            The content of the file, and the remaining options.
        """
        hub_options = {name: options.pop(name) for name in HUB_OPTION_NAMES if name in options}
        return cls._read(pretrained_model_name_or_path, hub_options), options


def _common_defaults() -> dict[str, Any]:
    values = ModelConfig().to_dict()
    return {each.name: values[each.name] for each in fields(ModelConfig)}


def as_dtype(value: Any) -> torch.dtype:
    """Convert "float16" or "torch.float16" to a floating-point type.

    Raises:
        InvalidInput: If it is not a floating-point type.
    """
    found = (
        value if isinstance(value, torch.dtype) else getattr(torch, str(value).removeprefix("torch."), None)
    )
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InvalidInput(
            f"dtype must be 'auto', 'float16', 'bfloat16', 'float32' or a torch.dtype, got {value!r}"
        )
    return found


def _as_labels(value: Any) -> dict[int, str]:
    return {int(key): str(label) for key, label in value.items()}


def _as_optional(convert: Any) -> Any:
    return lambda value: None if value is None else convert(value)


CONVERTERS.update(
    {
        list[str] | None: _as_optional(lambda value: [CONVERTERS[str](item) for item in value]),
        str | None: _as_optional(CONVERTERS[str]),
        torch.dtype | None: _as_optional(as_dtype),
        dict[int, str]: _as_labels,
        dict[str, int]: lambda value: {str(label): int(index) for label, index in value.items()},
    }
)
