"""Settings of image processors: names, conversion, preprocessor_config.json."""

import copy
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypedDict, TypeVar, Unpack, overload

import PIL.Image
import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.configuration.settings import Settings, read_settings
from tiepoint.huggingface.hub import HubOptions
from tiepoint.huggingface.image_processing.resizing import as_filter
from tiepoint.huggingface.image_processing.sizes import SizeDict, as_size
from tiepoint.huggingface.loader_options import (
    INTERNAL,
    WITHOUT_EFFECT as WITHOUT_EFFECT_IN_LOADERS,
    split_options,
)
from tiepoint.huggingface.options import reject_unknown, warn_without_effect

P = TypeVar("P", bound="ImageProcessorSettings")

BILINEAR = int(PIL.Image.Resampling.BILINEAR)

WITHOUT_EFFECT = (
    "do_normalize",
    "image_mean",
    "image_std",
    "do_center_crop",
    "crop_size",
    "do_pad",
    "pad_size",
    "disable_grouping",
    "image_seq_length",
)
"""Settings of every image processor of transformers, which those of these models ignore there too."""

SWITCHES = ("do_resize", "do_rescale", "do_grayscale")
"""Settings that may be None, which disables them; other settings that are None have their default."""

CALL_OPTIONS = ("return_tensors", "device", "data_format", "input_data_format")
"""Options of a call; as settings they are the defaults of calls."""

OTHER_SETTINGS = ("default_to_square", "do_convert_rgb")
"""Settings that are not fields: the meaning of an integer size, and the conversion to RGB, which is always done."""

OBSOLETE = ("processor_class", "feature_extractor_type")
"""Keys of old files that are dropped, as in transformers."""

OF_AUTO_CLASS = ("use_fast", "backend")
"""Options of `AutoImageProcessor.from_pretrained` that have no effect where the class is given."""


class ProcessorSettings(TypedDict, total=False):
    """Settings of an image processor as keyword arguments; None disables `do_…`, and is the default of the others.

    Attributes: as for `ImageProcessorSettings`, and
        default_to_square: Whether an integer `size` is height and width instead of the shortest edge.
        do_convert_rgb: Whether images are converted to RGB; always done.
    """

    do_resize: bool | None
    size: Any
    default_to_square: bool | None
    resample: Any
    do_rescale: bool | None
    rescale_factor: float | None
    do_grayscale: bool | None
    do_convert_rgb: bool | None


class PreprocessOptions(ProcessorSettings, total=False):
    """Keyword options of `preprocess`.

    Attributes:
        return_tensors: "pt" for tensors, "np" for arrays, None for a list.
        device: Device of the tensors; the fast processors run on it.
        data_format: Axis order of the result, "channels_first" or "channels_last"; None means the first.
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.
    """

    return_tensors: str | None
    device: str | torch.device | None
    data_format: str | None
    input_data_format: str | None


class ProcessorLoadOptions(HubOptions, PreprocessOptions, total=False):
    """Keyword options of `from_pretrained`.

    Attributes:
        image_processor_filename: Name of the file.
        return_unused_kwargs: Whether to return a pair, the processor and the unknown options.
    """

    image_processor_filename: str
    return_unused_kwargs: bool


LOADER_OPTIONS = (*HubOptions.__annotations__, "image_processor_filename")


@dataclass(init=False, eq=False, repr=False)
class ImageProcessorSettings(Settings):
    """Settings that all image processors share.

    Attributes:
        do_resize: Whether images are resized.
        size: Size after resizing in px: a dict with height and width; or with longest_edge, shortest_edge or both, or
            max_height and max_width, which keep the aspect ratio.
        resample: Pillow's number of the resampling filter.
        do_rescale: Whether 8-bit values are multiplied by `rescale_factor`; floating-point images in [0, 1] are
            treated as 8-bit values divided by 255.
        rescale_factor: Factor for 8-bit values.
        do_grayscale: Whether color images are converted to grayscale, as three equal channels.

    Raises:
        InvalidInput: If a value has the wrong type.
    """

    filename: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "image_processor_type"

    do_resize: bool | None = True
    size: SizeDict = field(default_factory=lambda: SizeDict(height=480, width=640))
    resample: int = BILINEAR
    do_rescale: bool | None = True
    rescale_factor: float = 1 / 255
    do_grayscale: bool | None = True

    def __init__(self, **settings: Any) -> None:
        given = {name: value for name, value in settings.items() if value is not None or name in SWITCHES}
        known, others = self._given(given)
        super().__init__(**known)
        self.extra.update(others)
        unsupported = others.keys() - {*CALL_OPTIONS, *OTHER_SETTINGS}
        warn_without_effect(type(self).__name__, others, sorted(unsupported))

    def __getattr__(self, name: str) -> Any:
        if name in (*WITHOUT_EFFECT, *CALL_OPTIONS, *OTHER_SETTINGS):
            return self.__dict__.get("extra", {}).get(name, False if name == "default_to_square" else None)
        return super().__getattr__(name)

    def convert(self, name: str, value: Any) -> Any:
        """Convert a value to the type of a field; sizes and resampling filters have several forms."""
        if name in SWITCHES:
            return _as_switch(f"{type(self).__name__}: {name}", value)
        if name == "size":
            return as_size(value, self.default_to_square)
        return super().convert(name, as_filter(value) if name == "resample" else value)

    @classmethod
    def from_dict(cls, image_processor_dict: dict[str, Any], **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Create a processor from the result of `to_dict`; unknown keys are kept without a warning.

        Args:
            image_processor_dict: Settings by name.
            **kwargs: Settings that override the values; return_unused_kwargs=True returns a pair, the processor and
                the options that are no settings.

        Raises:
            InvalidInput: If a value has the wrong type or the settings are those of another processor; an
                InvalidArgument, also a TypeError, if an option is unknown.
        """
        return cls._from_values(f"{cls.__name__}.from_dict", image_processor_dict, kwargs)

    @overload
    @classmethod
    def from_pretrained(
        cls: type[P],
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        return_unused_kwargs: Literal[True],
        **kwargs: Any,
    ) -> tuple[P, dict[str, Any]]: ...

    @overload
    @classmethod
    def from_pretrained(
        cls: type[P],
        pretrained_model_name_or_path: str | os.PathLike[str],
        **kwargs: Unpack[ProcessorLoadOptions],
    ) -> P: ...

    @classmethod
    def from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        **kwargs: Any,
    ) -> Any:
        """Read preprocessor_config.json.

        Args:
            pretrained_model_name_or_path: Local folder, file, or repository name "owner/name".
            **kwargs: Options of `ProcessorLoadOptions`; settings override the stored ones.

        Raises:
            InvalidInput: If the file is not valid JSON, is of another type, or contains invalid values; an
                InvalidArgument, also a TypeError, if an option is unknown.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        values, others = cls.get_image_processor_dict(pretrained_model_name_or_path, **kwargs)
        return cls._from_values(f"{cls.__name__}.from_pretrained", values, others)

    @classmethod
    def get_image_processor_dict(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        **kwargs: Unpack[ProcessorLoadOptions],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read the settings of a processor as a dict.

        Args:
            pretrained_model_name_or_path: Local folder, file, or repository name "owner/name".
            **kwargs: Options of `ProcessorLoadOptions`.

        Returns:
            The stored settings, and the options that are not options of the loader.

        Raises:
            InvalidInput: If the file is not valid JSON.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        function = f"{cls.__name__}.from_pretrained"
        warn_without_effect(function, kwargs, OF_AUTO_CLASS)
        options = {name: value for name, value in kwargs.items() if name not in OF_AUTO_CLASS}
        foreign = {name: value for name, value in options.items() if name in WITHOUT_EFFECT_IN_LOADERS}
        split_options(function, foreign, (), ())
        loader = {name: value for name, value in options.items() if name in LOADER_OPTIONS}
        others = {name: value for name, value in options.items() if name not in (*loader, *foreign)}
        return cls._read_stored(pretrained_model_name_or_path, loader), others

    @classmethod
    def _from_values(cls, function: str, values: dict[str, Any], overrides: dict[str, Any]) -> Any:
        from_transformers = any(name in overrides for name in INTERNAL)
        overrides = {name: value for name, value in overrides.items() if name not in INTERNAL}
        return_unused = overrides.pop("return_unused_kwargs", False)
        names = (*cls._fields(), *OTHER_SETTINGS, *CALL_OPTIONS, *WITHOUT_EFFECT)
        unused = {name: value for name, value in overrides.items() if name not in names}
        used = {name: value for name, value in overrides.items() if name in names}
        if not return_unused and not from_transformers:  # which also passes options of the model
            reject_unknown(function, unused, names)
        warn_without_effect(function, used, WITHOUT_EFFECT)
        known, others = cls._given(values | used)
        processor = cls(**known)
        processor.extra.update(copy.deepcopy(others))
        return (processor, unused) if return_unused else processor

    @classmethod
    def _given(cls, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split values into fields, without those that have their default, and others."""
        known, others = cls._split(values)
        for name in OBSOLETE:
            others.pop(name, None)
        if others.get("default_to_square") and isinstance(known.get("size"), int):
            known["size"] = as_size(known["size"], default_to_square=True)
        return {name: value for name, value in known.items() if value is not None or name in SWITCHES}, others

    @classmethod
    def _read_stored(cls, name: str | os.PathLike[str], options: dict[str, Any]) -> dict[str, Any]:
        filename = options.pop("image_processor_filename", None) or cls.filename
        return read_settings(name, filename, **options)


def _as_switch(name: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInput(f"{name} must be bool or None, got {value!r}")
