"""Features and matches as records of a store: keypoints float32, descriptors float16, indices int32.

What is matched and scored is what was read back, so that a resumed run gives what an undisturbed one gives.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tiepoint.feature_store import Record
from tiepoint.types import Features

DTYPES = {
    "keypoints": np.float32,
    "scores": np.float32,
    "descriptors": np.float16,
    "scales": np.float32,
    "orientations": np.float32,
}
"""Arrays of an image's record. Unit vectors lose at most 2.5e-4 a component to float16."""


def features_to_record(features: Features) -> dict[str, Any]:
    """The record of an image: its arrays, and what goes with them."""
    given = {name: getattr(features, name) for name in DTYPES}
    arrays = {name: _array(value, DTYPES[name]) for name, value in given.items() if value is not None}
    width, height = features.image_size
    return {
        **arrays,
        "width": width,
        "height": height,
        "kind": features.kind,
        "fingerprint": features.fingerprint,
        "source": features.source,
        "exif_orientation": features.exif_orientation,
    }


def features_from_record(record: Record) -> Features:
    """The inverse of `features_to_record`, on the CPU; descriptors come back as float32."""
    values: Mapping[str, Any] = record
    tensors = {name: torch.from_numpy(values[name]).float() for name in DTYPES if name in values}
    plain = {name: values[name] for name in ("kind", "fingerprint", "source", "exif_orientation")}
    return Features(**tensors, **plain, image_size=(values["width"], values["height"]))


def matches_to_record(matches: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """The record of a pair: (k, 2) indices and (k,) scores."""
    return {"matches": matches.astype(np.int32), "scores": scores.astype(np.float32)}


def _array(tensor: Tensor, dtype: type) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().astype(dtype)
