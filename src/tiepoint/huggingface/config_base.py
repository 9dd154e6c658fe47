"""Settings: what configurations and image processors share, a mutable object that is one JSON file.

Frozen dataclasses are this package's own way. Here users of transformers set attributes, pass keys that nobody
knows, and expect to find them in the file again.
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
from typing import Any, ClassVar, TypeVar

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.hub import fetch, push_folder
from tiepoint.io.atomic import atomic_write

Own = TypeVar("Own", bound="Settings")


class Settings:
    """Named values with defaults, checked whenever they are set; subclasses are dataclasses without `__init__`.

    Attributes:
        extra: keys that this class doesn't know, kept and written back; readable as attributes too.

    Raises:
        InvalidInput: a value of another type.
    """

    filename: ClassVar[str]
    """Name of the JSON file."""
    type_key: ClassVar[str]
    """Key of the file that says what it is about."""
    type_names: ClassVar[tuple[str, ...]]
    """What may stand there; the first is written."""
    derived: ClassVar[tuple[str, ...]] = ()
    """Keys of the file that follow from others: written, but not read."""

    def __init__(self, **values: Any) -> None:
        self.__dict__["extra"] = {}
        known, unknown = self._split(values)
        for name, field in self._fields().items():
            setattr(self, name, known[name] if name in known else _default(field))
        self.extra.update(unknown)
        if unknown:
            warnings.warn(
                f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}, which is kept without effect; "
                f"it has {', '.join(self._fields())}",
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
        """`value` as the field `name` holds it. Raises InvalidInput where it can't be."""
        hint = self._fields()[name].type
        try:
            return CONVERTERS[hint](value)
        except (TypeError, ValueError):
            expected = getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
            raise InvalidInput(
                f"{type(self).__name__}: {name} must be {expected}, but is {value!r}"
            ) from None

    def validate(self) -> None:
        """Raise InvalidInput where settings don't fit each other; called when all are set for the first time."""

    def to_dict(self) -> dict[str, Any]:
        """All settings, those kept without effect, the derived ones and the type, in plain JSON types."""
        names = (*self._fields(), *self.derived)
        values = {name: _plain(getattr(self, name)) for name in names}
        return copy.deepcopy(self.extra) | values | {self.type_key: self.type_names[0]}

    @classmethod
    def from_dict(cls: type[Own], values: dict[str, Any]) -> Own:
        """The inverse of `to_dict`; keys that this class doesn't know are kept without a warning.

        Raises:
            InvalidInput: a value of another type, or settings of something else.
        """
        known, unknown = cls._split(values)
        settings = cls(**known)
        settings.extra.update(copy.deepcopy(unknown))
        return settings

    def to_json_string(self) -> str:
        """What `save_pretrained` writes."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def update(self, values: dict[str, Any]) -> None:
        """Set many at once."""
        for name, value in values.items():
            setattr(self, name, value)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write the JSON file into a folder, which is made where it doesn't exist.

        Returns:
            The file.

        Raises:
            InvalidInput: it can't be written.
        """
        target = Path(folder).expanduser() / self.filename
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"can't make the folder {target.parent}: {error.strerror}; choose another"
            ) from error
        with atomic_write(target) as temporary:
            temporary.write_text(self.to_json_string(), encoding="utf-8")
        return target

    @classmethod
    def from_pretrained(
        cls: type[Own],
        name_or_folder: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        **overrides: Any,
    ) -> Own:
        """Read the JSON file of a local folder or of a repository on the hub.

        Args:
            name_or_folder: as for `tiepoint.huggingface.hub.fetch`, like the four after it.
            **overrides: settings that take the place of the file's.

        Raises:
            InvalidInput: the file is no JSON, or is about something else, or holds values that can't be.
            WeightsError: the file can't be found or fetched.
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

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload the JSON file; options and errors as for `tiepoint.huggingface.hub.push_folder`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(folder, repo_id, **options)

    @classmethod
    def _fields(cls) -> dict[str, dataclasses.Field]:
        return {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]

    @classmethod
    def _split(cls, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What this class knows, and the rest; the type is checked and left out, the derived are left out."""
        kind = values.get(cls.type_key)
        if kind not in (None, *cls.type_names):
            raise InvalidInput(
                f"these are settings of {kind!r}, but {cls.__name__} takes those of {cls.type_names[0]!r}; "
                "pass the folder or repository of such a model"
            )
        left_out = (cls.type_key, *cls.derived)
        known = {name: value for name, value in values.items() if name in cls._fields()}
        unknown = {name: value for name, value in values.items() if name not in (*known, *left_out)}
        return known, unknown


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON ({error}); write it anew, or fetch it again") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} must hold a JSON object, but holds a {type(values).__name__}")
    return values


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    int: _whole,
    float: _number,
    bool: _switch,
    str: _text,
    tuple[int, ...]: lambda value: tuple(_whole(item) for item in value),
}
"""Type of a field -> what makes a value fit it, or raises TypeError or ValueError. Whole numbers do for floats."""
