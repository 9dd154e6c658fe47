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
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Unpack

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.hub import PushOptions, fetch, push_folder
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
        known, unknown = self._split(values)
        for name, field in self._fields().items():
            setattr(self, name, known[name] if name in known else _default(field))
        self.extra.update(unknown)
        if unknown:
            warnings.warn(
                f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}; the value is kept without effect; "
                f"available: {', '.join(self._fields())}",
                stacklevel=2,
            )
        self.validate()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._fields():
            value = self.convert(name, value)
        if name in self._fields() or name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            self.extra[name] = value

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
        values = {name: _to_json(getattr(self, name)) for name in names}
        return copy.deepcopy(self.extra) | values | {self.type_key: self.type_names[0]}

    @classmethod
    def from_dict(cls: type[S], values: dict[str, Any]) -> S:
        """Create settings from the result of `to_dict`; unknown keys are kept without a warning.

        Raises:
            InvalidInput: If a value has the wrong type or the settings are of another type.
        """
        known, unknown = cls._split(values)
        settings = cls(**known)
        settings.extra.update(copy.deepcopy(unknown))
        return settings

    def to_json_string(self) -> str:
        """Return the content of the JSON file."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def update(self, values: dict[str, Any]) -> None:
        """Set several values."""
        for name, value in values.items():
            setattr(self, name, value)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write the JSON file into a folder, which is created if necessary.

        Returns:
            Path of the file.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        target = Path(folder).expanduser() / self.filename
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"cannot create folder {target.parent}: {error.strerror}; choose another"
            ) from error
        with atomic_write(target) as temporary:
            temporary.write_text(self.to_json_string(), encoding="utf-8")
        return target

    @classmethod
    def from_pretrained(
        cls: type[S],
        name_or_folder: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        **overrides: Any,
    ) -> S:
        """Read the JSON file of a local folder or of a repository on the hub.

        Args:
            name_or_folder: Local folder, or repository name "owner/name".
            revision: Branch, tag or commit of the repository; None means the main branch.
            token: Access token for private repositories; None uses the token stored by `hf auth login`, False none.
            cache_dir: Cache directory; None uses huggingface_hub's default.
            local_files_only: Use only local files and the cache.
            **overrides: Settings that override the values of the file.

        Raises:
            InvalidInput: If the file is not valid JSON, is of another type, or contains invalid values.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        path = fetch(
            name_or_folder,
            cls.filename,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        known, unknown = cls._split(_read_json(path))
        settings = cls(**known | overrides)
        settings.extra.update(unknown)
        return settings

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


def _to_json(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
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
