"""AutoConfig and the AutoModel classes: configuration or model by the `model_type` of a folder or repository."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.configs import LightGlueConfig, SuperPointConfig
from tiepoint.huggingface.configuration.model_config import ModelConfig
from tiepoint.huggingface.loader_options import HUB_OPTION_NAMES
from tiepoint.huggingface.models.lightglue import LightGlueForKeypointMatching
from tiepoint.huggingface.models.pretrained import PreTrainedModel
from tiepoint.huggingface.models.superpoint import SuperPointForKeypointDetection
from tiepoint.io.messages import unknown_name

CONFIGS: dict[str, type[ModelConfig]] = {"lightglue": LightGlueConfig, "superpoint": SuperPointConfig}
"""`model_type` -> configuration class."""


class AutoConfig:
    """Loader of configurations."""

    def __init__(self) -> None:
        raise InvalidInput("use AutoConfig.from_pretrained(name_or_folder)")

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> Any:
        """Load a configuration.

        Args:
            pretrained_model_name_or_path: Preset, local folder or JSON file, or repository name "owner/name".
            **options: Options and settings, as for `LightGlueConfig.from_pretrained`.

        Raises:
            InvalidInput: If the model type is unknown, or an option is invalid or unknown.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        hub_options = {name: value for name, value in options.items() if name in HUB_OPTION_NAMES}
        values, _ = LightGlueConfig.get_config_dict(pretrained_model_name_or_path, **hub_options)
        config_class = find_config_class(values.get("model_type"), CONFIGS)
        return config_class.from_pretrained(pretrained_model_name_or_path, **options)

    @classmethod
    def for_model(cls, model_type: str, **settings: Any) -> ModelConfig:
        """Create the configuration of a model type, with settings.

        Raises:
            InvalidInput: If the model type is unknown or a setting is invalid.
        """
        return find_config_class(model_type, CONFIGS)(**settings)

    @staticmethod
    def register(model_type: str, config: type[ModelConfig], exist_ok: bool = False) -> None:
        """Add a configuration class.

        Raises:
            InvalidInput: If the class is of another model type, or the model type exists already.
        """
        if config.model_type != model_type:
            raise InvalidInput(
                f"{config.__name__} has the model_type {config.model_type!r}, got {model_type!r}"
            )
        if model_type in CONFIGS and not exist_ok:
            raise InvalidInput(f"model_type {model_type!r} exists already; pass exist_ok=True to replace it")
        CONFIGS[model_type] = config


class _AutoModel:
    """Base class of the loaders of models; each has its table of models."""

    models: ClassVar[dict[type[ModelConfig], type[PreTrainedModel]]]

    def __init__(self) -> None:
        raise InvalidInput(
            f"use {type(self).__name__}.from_pretrained(name_or_folder) or from_config(config)"
        )

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *,
        config: Any = None,
        **options: Any,
    ) -> Any:
        """Load a model.

        Args:
            pretrained_model_name_or_path: Preset, local folder, or repository name "owner/name"; None with `config`
                and `state_dict`.
            config: Configuration that replaces the stored one.
            **options: Options and settings, as for `LightGlueForKeypointMatching.from_pretrained`.

        Raises:
            InvalidInput: If the model type is unknown, or an option is invalid or unknown.
            WeightsError: If a file is not found or cannot be downloaded, or does not fit the model.
        """
        model_class = cls._model_class(pretrained_model_name_or_path, config, options)
        return model_class.from_pretrained(pretrained_model_name_or_path, config=config, **options)

    @classmethod
    def from_config(cls, config: Any, **options: Any) -> Any:
        """Build a model with random weights.

        Args:
            config: Configuration: an object of tiepoint or transformers.
            **options: `dtype`, the floating-point type of the weights.

        Raises:
            InvalidInput: If the model type is unknown, or an option is invalid or unknown.
        """
        return cls._find(getattr(config, "model_type", None))._from_config(config, **options)

    @classmethod
    def register(
        cls, config_class: type[ModelConfig], model_class: type[PreTrainedModel], exist_ok: bool = False
    ) -> None:
        """Add a model class.

        Raises:
            InvalidInput: If the model class has another configuration class, or the configuration class has a model.
        """
        if model_class.config_class != config_class:
            raise InvalidInput(
                f"{model_class.__name__} has the configuration {model_class.config_class.__name__}, "
                f"got {config_class.__name__}"
            )
        if config_class in cls.models and not exist_ok:
            raise InvalidInput(
                f"{config_class.__name__} has a model already; pass exist_ok=True to replace it"
            )
        cls.models[config_class] = model_class

    @classmethod
    def _model_class(
        cls, name: str | os.PathLike[str] | None, config: Any, options: Mapping[str, Any]
    ) -> type[PreTrainedModel]:
        if isinstance(config, Mapping):
            return cls._find(config.get("model_type"))
        if config is not None and not isinstance(config, str | os.PathLike):
            return cls._find(getattr(config, "model_type", None))
        source = name if config is None else config
        if source is None:
            raise InvalidInput("from_pretrained(None) requires config= and state_dict=")
        hub_options = {key: value for key, value in options.items() if key in HUB_OPTION_NAMES}
        values, _ = LightGlueConfig.get_config_dict(source, **hub_options)
        return cls._find(values.get("model_type"))

    @classmethod
    def _find(cls, model_type: str | None) -> type[PreTrainedModel]:
        """Return the model class of a model type.

        Raises:
            InvalidInput: If the model type is unknown.
        """
        models = {config_class.model_type: model for config_class, model in cls.models.items()}
        if model_type not in models:
            raise InvalidInput(f"{cls.__name__}: {unknown_name('model_type', model_type, models)}")
        return models[model_type]


class AutoModel(_AutoModel):
    """Loader of models by their `model_type`: LightGlue and SuperPoint."""

    models: ClassVar[dict[type[ModelConfig], type[PreTrainedModel]]] = {
        LightGlueConfig: LightGlueForKeypointMatching,
        SuperPointConfig: SuperPointForKeypointDetection,
    }


class AutoModelForKeypointMatching(_AutoModel):
    """Loader of keypoint matching models: LightGlue."""

    models: ClassVar[dict[type[ModelConfig], type[PreTrainedModel]]] = {
        LightGlueConfig: LightGlueForKeypointMatching
    }


class AutoModelForKeypointDetection(_AutoModel):
    """Loader of keypoint detection models: SuperPoint."""

    models: ClassVar[dict[type[ModelConfig], type[PreTrainedModel]]] = {
        SuperPointConfig: SuperPointForKeypointDetection
    }


def find_config_class(model_type: Any, configs: Mapping[str, type[ModelConfig]]) -> type[ModelConfig]:
    """Return the configuration class of a model type.

    Raises:
        InvalidInput: If the model type is unknown.
    """
    if model_type not in configs:
        raise InvalidInput(unknown_name("model_type", model_type, configs))
    return configs[model_type]
