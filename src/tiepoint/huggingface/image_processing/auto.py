"""AutoImageProcessor: the image processor that belongs to a model."""

import os
from typing import Any, Literal, TypeAlias, Unpack, overload

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.configuration.model_config import ModelConfig
from tiepoint.huggingface.configuration.settings import read_settings
from tiepoint.huggingface.image_processing.base import BaseImageProcessor
from tiepoint.huggingface.image_processing.processors import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
)
from tiepoint.huggingface.image_processing.settings import LOADER_OPTIONS, ProcessorLoadOptions
from tiepoint.io.messages import unknown_name
from tiepoint.presets import PRESETS, full_name

ImageProcessor: TypeAlias = (
    LightGlueImageProcessor
    | LightGlueImageProcessorFast
    | SuperPointImageProcessor
    | SuperPointImageProcessorFast
)

PROCESSORS: dict[str, dict[str, type[BaseImageProcessor]]] = {
    "lightglue": {"pil": LightGlueImageProcessor, "torch": LightGlueImageProcessorFast},
    "superpoint": {"pil": SuperPointImageProcessor, "torch": SuperPointImageProcessorFast},
}
"""Model type -> library that resizes -> image processor."""

BACKENDS = {"torch": "torch", "torchvision": "torch", "pil": "pil"}
"""`backend` -> library that resizes; tiepoint uses torch where transformers uses torchvision."""


class AutoImageProcessor:
    """Loader of image processors; it cannot be instantiated."""

    def __init__(self) -> None:
        raise InvalidInput("use AutoImageProcessor.from_pretrained(name_or_folder)")

    @overload
    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        return_unused_kwargs: Literal[True],
        **kwargs: Any,
    ) -> tuple[ImageProcessor, dict[str, Any]]: ...

    @overload
    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        config: Any = None,
        use_fast: bool | None = None,
        backend: str | None = None,
        **kwargs: Unpack[ProcessorLoadOptions],
    ) -> ImageProcessor: ...

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        config: Any = None,
        use_fast: bool | None = None,
        backend: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Load the image processor of a model, by default the fast one.

        Args:
            pretrained_model_name_or_path: Preset, local folder, file, or repository name "owner/name".
            config: Configuration of the model, whose type decides if the file of the processor has none; None reads
                it from the folder or repository.
            use_fast: False selects the PIL-based processor.
            backend: "torch" or "torchvision" selects the fast processor, "pil" the PIL-based one; None and "auto"
                follow `use_fast`.
            **kwargs: Options of `ProcessorLoadOptions`; settings override the stored ones.

        Raises:
            InvalidInput: If `use_fast` and `backend` contradict each other, the folder is that of another model, or a
                setting is invalid; an InvalidArgument, also a TypeError, if an option is unknown.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        name = pretrained_model_name_or_path
        model_type = "lightglue" if full_name(name) in PRESETS else _model_type(name, config, kwargs)
        processors, chosen = PROCESSORS[model_type], _choose_backend(use_fast, backend)
        processor = processors.get(chosen) or next(iter(processors.values()))
        return processor.from_pretrained(name, **kwargs)

    @staticmethod
    def register(
        config_class: type[ModelConfig],
        slow_image_processor_class: type | None = None,
        fast_image_processor_class: type | None = None,
        image_processor_classes: dict[str, type] | None = None,
        exist_ok: bool = False,
    ) -> None:
        """Add or replace the image processors of a model type.

        Args:
            config_class: Configuration class of the model.
            slow_image_processor_class: PIL-based image processor.
            fast_image_processor_class: Image processor that resizes with torch.
            image_processor_classes: Image processors by backend, "pil", "torch" or "torchvision".
            exist_ok: Whether processors of the model type may be replaced.

        Raises:
            InvalidInput: If there is no processor, one is not an image processor of tiepoint, a backend is unknown, or
                the model type has processors already.
        """
        given = image_processor_classes or {
            "pil": slow_image_processor_class,
            "torch": fast_image_processor_class,
        }
        processors = {backend: processor for backend, processor in given.items() if processor is not None}
        if not processors:
            raise InvalidInput("pass at least one image processor class")
        for backend, processor in processors.items():
            if backend not in BACKENDS:
                raise InvalidInput(unknown_name("backend", backend, BACKENDS))
            if not issubclass(processor, BaseImageProcessor):
                raise InvalidInput(
                    f"{processor.__name__} is not a subclass of BaseImageProcessor of tiepoint"
                )
        registered = PROCESSORS.setdefault(config_class.model_type, {})
        if registered and not exist_ok:
            raise InvalidInput(
                f"model type {config_class.model_type!r} has image processors; pass exist_ok=True to replace them"
            )
        registered.update(processors)


def _check_processors(processors: dict[str, type]) -> dict[str, type[BaseImageProcessor]]:
    """Return image processors by the library that resizes."""
    if not processors:
        raise InvalidInput("pass at least one image processor class")
    for backend, processor in processors.items():
        if backend not in BACKENDS:
            raise InvalidInput(unknown_name("backend", backend, BACKENDS))
        if not issubclass(processor, BaseImageProcessor):
            raise InvalidInput(f"{processor.__name__} is not a subclass of BaseImageProcessor of tiepoint")
    return {BACKENDS[backend]: processor for backend, processor in processors.items()}


def _choose_backend(use_fast: bool | None, backend: str | None) -> str:
    if backend in (None, "auto"):
        return "pil" if use_fast is False else "torch"
    if backend not in BACKENDS:
        raise InvalidInput(unknown_name("backend", backend, ["auto", *BACKENDS]))
    if use_fast is not None and use_fast == (backend == "pil"):
        raise InvalidInput(f"use_fast={use_fast} contradicts backend={backend!r}; pass one of them")
    return BACKENDS[backend]


def _model_type(name: str | os.PathLike[str], config: Any, options: dict[str, Any]) -> str:
    """Return the model type that a file of settings is for, from its own type or from the model's configuration."""
    loader = {key: value for key, value in options.items() if key in LOADER_OPTIONS}
    filename = loader.pop("image_processor_filename", None) or BaseImageProcessor.filename
    stored = read_settings(name, filename, **loader)
    processor_type = stored.get("image_processor_type") or _old_type(stored)
    if processor_type is None:
        model_type = _type_of_config(config) or _stored_model_type(name, loader)
        if model_type in PROCESSORS:
            return model_type
        raise InvalidInput(
            f"unrecognized image processor in {name}: {filename} has no image_processor_type, and the model type is "
            f"{model_type!r}; supported model types: {', '.join(PROCESSORS)}"
        )
    for model_type, processors in PROCESSORS.items():
        if processor_type in next(iter(processors.values())).type_names:
            return model_type
    known = [kind.__name__ for processors in PROCESSORS.values() for kind in processors.values()]
    raise InvalidInput(f"{name}: {unknown_name('image processor type', processor_type, known)}")


def _old_type(stored: dict[str, Any]) -> str | None:
    """Return the type in files from the time when image processors were feature extractors."""
    old = stored.get("feature_extractor_type")
    return old.replace("FeatureExtractor", "ImageProcessor") if isinstance(old, str) else None


def _type_of_config(config: Any) -> str | None:
    return config.get("model_type") if isinstance(config, dict) else getattr(config, "model_type", None)


def _stored_model_type(name: str | os.PathLike[str], loader: dict[str, Any]) -> Any:
    try:
        return read_settings(name, "config.json", **loader).get("model_type")
    except WeightsError:  # no such file
        return None
