"""The functions of `lightglue.utils`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from tiepoint.compat.lightglue.dictionaries import FeatureDict, MatchDict
from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.compat.lightglue.images import load_image, numpy_image_to_torch, read_image, resize_image
from tiepoint.compat.lightglue.lightglue import LightGlue
from tiepoint.compat.lightglue.preprocessing import ImagePreprocessor, PreprocessOptions

__all__ = [
    "Extractor",
    "ImagePreprocessor",
    "batch_to_device",
    "load_image",
    "map_tensor",
    "match_pair",
    "numpy_image_to_torch",
    "rbd",
    "read_image",
    "resize_image",
]


def rbd(data: FeatureDict | MatchDict | Mapping[str, Any]) -> dict[str, Any]:
    """Remove the batch dimension: return the first item of tensors, arrays and lists.

    Args:
        data: Dictionary of an extractor or of LightGlue.
    """
    return {
        name: value[0] if isinstance(value, Tensor | np.ndarray | list) else value
        for name, value in data.items()
    }


def map_tensor(input_: Any, func: Callable[[Tensor], Any]) -> Any:
    """Apply a function to all tensors in dictionaries and sequences; other values are returned unchanged.

    Args:
        input_: Tensor, dictionary or sequence, nested in any way.
        func: Function of a tensor.
    """
    if isinstance(input_, Tensor):
        return func(input_)
    if isinstance(input_, Mapping):
        return {name: map_tensor(value, func) for name, value in input_.items()}
    if isinstance(input_, Sequence) and not isinstance(input_, str | bytes):
        return [map_tensor(value, func) for value in input_]
    return input_


def batch_to_device(
    batch: Mapping[str, Any], device: str | torch.device = "cpu", non_blocking: bool = True
) -> dict[str, Any]:
    """Move all tensors of a dictionary to a device, detached.

    Args:
        batch: Dictionary of an extractor or of LightGlue.
        device: Target device.
        non_blocking: Do not wait for copies from pinned memory.
    """
    return map_tensor(batch, lambda tensor: tensor.to(device, non_blocking=non_blocking).detach())


def match_pair(
    extractor: Extractor,
    matcher: LightGlue,
    image0: Tensor,
    image1: Tensor,
    device: str | torch.device = "cpu",
    **preprocess: Unpack[PreprocessOptions],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Extract and match two images.

    Args:
        extractor: Extractor.
        matcher: LightGlue for its features.
        image0: Image 0, shape (c, h, w), values in [0, 1].
        image1: Image 1, shape (c, h, w).
        device: Device of the results.
        **preprocess: Options of `Extractor.extract`.

    Returns:
        Features of image 0, features of image 1, and matches, without batch dimension.

    Raises:
        InvalidInput: If an image has another shape, or an option is unknown or invalid.
    """
    features0 = extractor.extract(image0, **preprocess)
    features1 = extractor.extract(image1, **preprocess)
    matches = matcher({"image0": features0, "image1": features1})
    found0, found1, matched = (batch_to_device(rbd(each), device) for each in (features0, features1, matches))
    return found0, found1, matched
