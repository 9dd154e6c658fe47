"""File format of saved matches: everything of a MatchResult but the descriptors."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.io.serialization import read_arrays
from tiepoint.types import Camera, Features, TwoViewEstimate

if TYPE_CHECKING:
    from tiepoint.result.match_result import MatchResult

# Version of the file format; other versions are refused
FORMAT = 1


def file_contents(
    result: "MatchResult", estimate: TwoViewEstimate | None, verification: PairVerification | None
) -> dict[str, Any]:
    """Return everything that is saved, by name.

    Args:
        result: Matches to save.
        estimate: Two-view geometry to include.
        verification: Pair verification to include.
    """
    contents: dict[str, Any] = {"format": FORMAT}
    if estimate is not None:
        derived = {"success": estimate.success, "num_inliers": estimate.num_inliers}
        contents["estimate"] = asdict(estimate) | derived
    if verification is not None:
        contents["verification"] = asdict(verification)
    for side, features in enumerate((result.features0, result.features1)):
        contents[f"image{side}"] = features.source
        contents[f"image_size{side}"] = list(features.image_size)
        contents[f"exif_orientation{side}"] = features.exif_orientation
        contents[f"keypoints{side}"] = _to_numpy(features.keypoints)
        contents[f"keypoint_scores{side}"] = _to_numpy(features.scores)
        if features.covariances is not None:
            contents[f"covariances{side}"] = _to_numpy(features.covariances)
    return contents | {
        "features": result.features0.kind,
        "points0": result.points0,
        "points1": result.points1,
        "scores": result.scores,
        "matches": result.matches,
        "layers_run": result.layers_run,
        "stopped_by": result.stopped_by,
        "keypoints_used": list(result.keypoints_used),
        "prune0": result.prune0,
        "prune1": result.prune1,
        "rotation0": result.rotation0,
        "rotation1": result.rotation1,
        "scale": result.scale,
        "tilt": result.tilt,
        "views_tried": result.views_tried,
        "seconds": dict(result.seconds),
    }


def read_match_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of saved matches.

    Args:
        path: Path of the .npz or .json file.

    Raises:
        InvalidInput: If the file cannot be read, or its format is not supported.
    """
    values = read_arrays(path, nested=("seconds", "verification", "estimate", "camera0", "camera1"))
    if values.get("format") != FORMAT:
        raise InvalidInput(
            f"cannot load {path}: expected matches of file format {FORMAT}, got {values.get('format')!r}; "
            "match the images again"
        )
    return values


def features_from(values: dict[str, Any], side: int) -> Features:
    """Build the features of image `side` (0 or 1), with descriptors of dimension 0."""
    keypoints = _to_tensor(values[f"keypoints{side}"]).reshape(-1, 2)
    covariances = values.get(f"covariances{side}")
    width, height = values[f"image_size{side}"]
    return Features(
        keypoints=keypoints,
        scores=_to_tensor(values[f"keypoint_scores{side}"]),
        descriptors=keypoints.new_zeros(len(keypoints), 0),
        covariances=None if covariances is None else _to_tensor(covariances).reshape(-1, 2, 2),
        image_size=(int(width), int(height)),
        kind=values["features"],
        source=values.get(f"image{side}"),
        exif_orientation=int(values[f"exif_orientation{side}"]),
    )


def _to_tensor(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device="cpu")


def estimate_from(values: dict[str, Any]) -> TwoViewEstimate:
    """Build an estimate from its saved fields."""
    return TwoViewEstimate(
        kind=values["kind"],
        matrix=_array(values.get("matrix")),
        inliers=np.asarray(values["inliers"], bool),
        method=values["method"],
        max_error_px=float(values["max_error_px"]),
        cam1_from_cam0=_array(values.get("cam1_from_cam0")),
        camera0=_camera(values.get("camera0")),
        camera1=_camera(values.get("camera1")),
        reason=values["reason"],
    )


def _array(values: Any) -> np.ndarray | None:
    return None if values is None else np.asarray(values, np.float64)


def _camera(values: dict[str, Any] | None) -> Camera | None:
    if values is None:
        return None
    size = values.get("image_size")
    return Camera(
        model=values["model"],
        image_size=None if size is None else (int(size[0]), int(size[1])),
        params=tuple(float(value) for value in values["params"]),
        source=values["source"],
    )


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
