"""Features and matches as records of a store: keypoints float32, descriptors float16, indices int32.

Features are read back before they are matched, so that a resumed run gives the same results as an uninterrupted one.
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
    "covariances": np.float32,
}
# Arrays of an image's record. float16 changes a component of a unit vector by at most 2.5e-4.


def features_to_record(features: Features) -> dict[str, Any]:
    """Return the record of an image: its arrays and metadata."""
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
    """Return the features of a record, on the CPU and in float32; the inverse of `features_to_record`."""
    values: Mapping[str, Any] = record
    tensors = {name: torch.from_numpy(values[name]).float() for name in DTYPES if name in values}
    metadata = {name: values[name] for name in ("kind", "fingerprint", "source", "exif_orientation")}
    return Features(**tensors, **metadata, image_size=(values["width"], values["height"]))


def matches_to_record(matches: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Return the record of a pair.

    Args:
        matches: Keypoint indices of each match, shape (k, 2).
        scores: Match scores, shape (k,).
    """
    return {"matches": matches.astype(np.int32), "scores": scores.astype(np.float32)}


def _array(tensor: Tensor, dtype: type) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().astype(dtype)
