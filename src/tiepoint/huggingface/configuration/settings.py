"""Settings: base class of configurations and image processors, a mutable object that is stored as one JSON file.

Elsewhere tiepoint uses frozen dataclasses. Users of transformers set attributes, pass unknown keys, and expect to
find these keys in the file again.
"""

import copy
import dataclasses
import json
import math
import numbers
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Unpack

import torch

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.hub import HubOptions, PushOptions, fetch, push_folder
from tiepoint.huggingface.loader_options import HUB_OPTION_NAMES, split_options
from tiepoint.huggingface.options import warn
from tiepoint.io.atomic import atomic_write
from tiepoint.io.validation import is_integer

S = TypeVar("S", bound="Settings")


class Settings:
    """Named values with defaults, validated on assignment; subclasses are dataclasses without `__init__`.

    Attributes:
        extra: Unknown keys, which are kept and written back; readable as attributes too.

    Raises:
        InvalidInput: If a value has the wrong type.
    """

    filename: ClassVar[str]
    """Name of the JSON file."""
    type_key: ClassVar[str]
    """Key of the JSON file that names the type of the settings."""
    type_names: ClassVar[tuple[str, ...]]
    """Accepted values of the type key; the first one is written."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Keys that are derived from others: written, but not read."""

    def __init__(self, **values: Any) -> None:
        self.__dict__["extra"] = {}
        aliases = {name: values.pop(name) for name in list(values) if self._is_alias(name)}
        known, unknown = self._split(values)
        for name, field in self._fields().items():
            setattr(self, name, known[name] if name in known else _default(field))
        self.update(aliases)
        self.extra.update(unknown)
        if unknown:
            warn(
                f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}; the value is kept without effect; "
                f"available: {', '.join(self._fields())}"
            )
        self.validate()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._fields():
            value = self.convert(name, value)
        if name in self._fields() or name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            self.extra[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    @classmethod
    def _is_alias(cls, name: str) -> bool:
        """Return whether a name is a property that sets fields."""
        value = getattr(cls, name, None)
        return isinstance(value, property) and value.fset is not None and name not in cls.derived

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["extra"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no setting {name!r}") from None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Settings) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"

    def convert(self, name: str, value: Any) -> Any:
        """Convert a value to the type of a field.

        Raises:
            InvalidInput: If the value cannot be converted.
        """
        hint = self._fields()[name].type
        try:
            return CONVERTERS[hint](value)
        except (TypeError, ValueError):
            expected = getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
            raise InvalidInput(f"{type(self).__name__}: {name} must be {expected}, got {value!r}") from None

    def validate(self) -> None:
        """Raise InvalidInput if settings are inconsistent; called after the initial assignment."""

    def to_dict(self) -> dict[str, Any]:
        """Return all settings (unknown and derived ones included) and the type as JSON values."""
        names = (*self._fields(), *self.derived)
        values = {name: to_json_value(getattr(self, name)) for name in names}
        return copy.deepcopy(self.extra) | values | {self.type_key: self.type_names[0]}

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **overrides: Any) -> Any:
        """Create settings from the result of `to_dict`; unknown keys are kept without a warning.

        Args:
            config_dict: Settings by name.
            **overrides: Settings that override them, and `return_unused_kwargs=True`, which returns the settings and
                the options that are not settings instead of refusing these.

        Raises:
            InvalidInput: If a value has the wrong type, the settings are of another type, or an option is unknown.
        """
        settings, unused = cls._create(dict(config_dict), overrides, "from_dict")
        return settings if unused is None else (settings, unused)

    def to_json_string(self) -> str:
        """Return the content of the JSON file."""
        return to_text(self.to_dict())

    def to_json_file(self, json_file_path: str | os.PathLike[str]) -> None:
        """Write a JSON file of any name.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        write_text(json_file_path, self.to_json_string())

    @classmethod
    def from_json_file(cls: type[S], json_file: str | os.PathLike[str]) -> S:
        """Read a JSON file of any name.

        Raises:
            InvalidInput: If the file does not exist, is not valid JSON, is of another type, or contains invalid values.
        """
        return cls.from_dict(read_json(Path(json_file).expanduser()))

    def update(self, config_dict: dict[str, Any]) -> None:
        """Set several values."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **options: Any
    ) -> list[str] | None:
        """Write the JSON file into a folder, which is created if necessary.

        Args:
            save_directory: Folder to write to.
            push_to_hub: Upload the file too.
            **options: `repo_id`, by default the name of the folder, and options of `push_to_hub`.

        Returns:
            List of the path of the file.

        Raises:
            InvalidInput: If the file cannot be written, or an option is unknown.
        """
        repo_id = options.pop("repo_id", None)
        target = Path(save_directory).expanduser() / self.filename
        write_text(target, self.to_json_string())
        if push_to_hub:
            self.push_to_hub(repo_id or target.parent.name, **options)
        elif options.keys() - PushOptions.__annotations__.keys():
            split_options(f"{type(self).__name__}.save_pretrained", options, PushOptions.__annotations__, ())
        return [str(target)]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], **options: Any) -> Any:
        """Read the JSON file of a local folder or of a repository on the hub.

        Args:
            pretrained_model_name_or_path: Local folder or JSON file, or repository name "owner/name".
            **options: Options of `tiepoint.huggingface.hub.HubOptions`; settings that override the values of the file;
                and `return_unused_kwargs=True`, which returns the settings and the options that are neither instead
                of refusing these.

        Raises:
            InvalidInput: If the file is not valid JSON, is of another type, or contains invalid values, or an option
                is unknown.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        hub_options = {name: options.pop(name) for name in HUB_OPTION_NAMES if name in options}
        values = cls._read(pretrained_model_name_or_path, hub_options)
        settings, unused = cls._create(values, options, "from_pretrained")
        return settings if unused is None else (settings, unused)

    @classmethod
    def _read(cls, name_or_path: str | os.PathLike[str], hub_options: dict[str, Any]) -> dict[str, Any]:
        """Return the content of the JSON file of a folder or repository, or of the JSON file itself."""
        return read_settings(name_or_path, cls.filename, **hub_options)

    @classmethod
    def _create(
        cls: type[S], values: dict[str, Any], options: dict[str, Any], method: str
    ) -> tuple[S, dict[str, Any] | None]:
        """Create settings from stored values and options; None for the unused options if they were not asked for."""
        return_unused = options.pop("return_unused_kwargs", False)
        aliases = {name: values.pop(name) for name in list(values) if cls._is_alias(name)}
        known, unknown = cls._split(values)
        names = {*cls._setting_names(), *unknown}
        overrides = {name: options.pop(name) for name in list(options) if name in names}
        if not return_unused:
            split_options(f"{cls.__name__}.{method}", options, (), names)
        settings = cls(**known, **aliases)
        settings.extra.update(copy.deepcopy(unknown))
        for name, value in overrides.items():
            settings.override(name, value)
        settings.validate()
        return settings, options if return_unused else None

    @classmethod
    def _setting_names(cls) -> set[str]:
        """Return the names that options may override: the fields, and properties with a setter."""
        return {*cls._fields(), *filter(cls._is_alias, dir(cls))}

    def override(self, name: str, value: Any) -> None:
        """Set a value; a dict for nested settings changes only the values that it contains."""
        current = getattr(self, name, None)
        if isinstance(current, Settings) and isinstance(value, dict):
            value = current.to_dict() | value
        setattr(self, name, value)

    def push_to_hub(self, repo_id: str, **options: Unpack[PushOptions]) -> str:
        """Upload the JSON file; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    @classmethod
    def _fields(cls) -> dict[str, dataclasses.Field]:
        return {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def _split(cls, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split values into known and unknown ones; the type is checked and dropped, derived keys are dropped."""
        kind = values.get(cls.type_key)
        if kind not in (None, *cls.type_names):
            raise InvalidInput(
                f"{cls.__name__} cannot read settings of type {kind!r}, expected {cls.type_names[0]!r}; "
                "pass the folder or repository of such a model"
            )
        dropped = (cls.type_key, *cls.derived)
        known = {name: value for name, value in values.items() if name in cls._fields()}
        unknown = {name: value for name, value in values.items() if name not in (*known, *dropped)}
        return known, unknown


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]


def to_json_value(value: Any) -> Any:
    """Return the JSON form of a value."""
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)


def to_text(values: dict[str, Any]) -> str:
    """Return values as indented JSON."""
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically; its folder is created if necessary.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    target = Path(path).expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"cannot create folder {target.parent}: {error.strerror}; choose another"
        ) from error
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_settings(
    name: str | os.PathLike[str],
    filename: str,
    **options: Unpack[HubOptions],
) -> dict[str, Any]:
    """Read a JSON file of a model.

    Args:
        name: Local folder, path of the file itself, or repository name "owner/name".
        filename: Name of the file within the folder or repository.
        **options: Options of `HubOptions`.

    Raises:
        InvalidInput: If the file is not a valid JSON object.
        WeightsError: If the file is not found or cannot be downloaded.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        path = fetch(name, filename, **options)
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InvalidInput: If the file cannot be read or is not a JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not valid JSON ({error}); download or write it again") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path}: expected a JSON object, got a {type(values).__name__}")
    return values


def _as_int(value: Any) -> int:
    if not is_integer(value):
        raise TypeError
    return int(value)


def _as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _as_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _as_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    int: _as_int,
    float: _as_float,
    bool: _as_bool,
    str: _as_str,
    tuple[int, ...]: lambda value: tuple(_as_int(item) for item in value),
}
"""Type of a field -> function that converts a value or raises TypeError or ValueError. Floats accept integers."""
