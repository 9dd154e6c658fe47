"""BatchFeature: the result of an image processor, a mapping whose values are also attributes."""

from collections import UserDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import plain

ArrayLike: TypeAlias = Tensor | np.ndarray | int | float | list[Any] | tuple[Any, ...]
# Lists and tuples are nested; a recursive alias cannot be checked at run time by the oldest supported libraries


class BatchFeature(UserDict[str, Any]):
    """Result of an image processor; pass it to the model with `**`.

    Args:
        data: Values by name, in `BatchFeature.data` afterwards.
        tensor_type: "pt" or "np" converts the values, None keeps them.
        skip_tensor_conversion: Names whose values are not converted.

    Raises:
        InvalidInput: If a value cannot be converted.
    """

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        tensor_type: str | None = None,
        skip_tensor_conversion: Collection[str] | None = None,
    ) -> None:
        super().__init__(data)
        self.skip_tensor_conversion = skip_tensor_conversion
        self.convert_to_tensors(tensor_type)

    def __getitem__(self, name: Any) -> Any:
        if not isinstance(name, str):
            raise KeyError(f"BatchFeature has names, no indices, got {name!r}; available: {', '.join(self)}")
        return self.data[name]

    def __getattr__(self, name: str) -> Any:
        data = self.__dict__.get("data", {})  # missing while a copy or a pickle is being restored
        if name not in data:
            raise AttributeError(f"BatchFeature has no {name!r}; available: {', '.join(data)}")
        return data[name]

    def to(self, *args: Any, **kwargs: Any) -> "BatchFeature":
        """Move tensors in place, with the arguments of `Tensor.to`: a device, a dtype or both.

        Tensors in lists and tuples are moved too. Only floating-point tensors change their dtype.

        Raises:
            InvalidInput: If the first argument is neither a device nor a dtype.
        """
        device = kwargs.get("device")
        if device is None and args and not isinstance(args[0], torch.dtype):
            if not isinstance(args[0], str | int | torch.device):
                raise InvalidInput(f"BatchFeature.to takes a device or a dtype, got {type(args[0]).__name__}")
            device = args[0]

        def move(tensor: Tensor) -> Tensor:
            if tensor.is_floating_point():
                return tensor.to(*args, **kwargs)
            if device is None:
                return tensor
            return tensor.to(device, non_blocking=kwargs.get("non_blocking", False))

        self.data = {name: _map_tensors(value, move) for name, value in self.items()}
        return self

    def convert_to_tensors(
        self, tensor_type: str | None = None, skip_tensor_conversion: Collection[str] | None = None
    ) -> "BatchFeature":
        """Convert numbers, arrays, tensors and nested lists of them in place; other values are kept.

        Args:
            tensor_type: "pt" for tensors, "np" for arrays, None for no conversion.
            skip_tensor_conversion: Names whose values are kept; None means those given to the constructor.

        Raises:
            InvalidInput: If the type is unknown, or the items of a list have different shapes.
        """
        if tensor_type is None:
            return self
        convert = _converter(tensor_type)
        skipped = self.skip_tensor_conversion if skip_tensor_conversion is None else skip_tensor_conversion
        for name, value in self.items():
            if name not in (skipped or ()) and _is_array_like(value):
                self[name] = _convert(name, value, convert)
        return self


def _converter(tensor_type: str) -> Callable[[ArrayLike], Tensor | np.ndarray]:
    converters = {"pt": as_tensor, "np": as_array}
    if plain(tensor_type) not in converters:
        raise InvalidInput(f"the tensor type must be 'pt', 'np' or None, got {tensor_type!r}")
    return converters[plain(tensor_type)]


def _convert(name: str, value: ArrayLike, convert: Callable[[ArrayLike], Any]) -> Tensor | np.ndarray:
    try:
        return convert(value)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"cannot convert {name!r} (a {type(value).__name__}): {' '.join(str(error).split())}; "
            "its items may have different shapes"
        ) from error


def as_tensor(value: ArrayLike) -> Tensor:
    """Convert a number, an array, or nested lists of numbers, arrays or tensors to a tensor."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if _is_nested(value):
        return torch.stack([as_tensor(item) for item in value])
    return torch.tensor(value)


def as_array(value: ArrayLike) -> np.ndarray:
    """Convert a number, a tensor, or nested lists of numbers, arrays or tensors to an array."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if _is_nested(value):
        return np.stack([as_array(item) for item in value])
    return np.asarray(value)


def _is_nested(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list that contains arrays or tensors at any depth."""
    if not isinstance(value, list | tuple):
        return False
    return any(isinstance(item, Tensor | np.ndarray) or _is_nested(item) for item in value)


def _is_array_like(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_array_like(item) for item in value)
    return isinstance(value, Tensor | np.ndarray | np.generic | int | float)


def _map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(_map_tensors(item, function) for item in value)
    return value
