"""Features from and to the arrays of other programs: NumPy, OpenCV, kornia, hloc, COLMAP."""

# arrays and tensors of any dtype, and OpenCV has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe
from tiepoint.io.optional import import_optional

if TYPE_CHECKING:
    from tiepoint.types.features import Features

ArrayLike: TypeAlias = Any
"""NumPy array, tensor or nested list of numbers."""

DescriptorNorm: TypeAlias = Literal["l2", "rootsift"]

UNKNOWN_ANGLE = -1.0  # cv2.KeyPoint.angle without orientation
COLMAP_CORNER = 0.5  # COLMAP's origin is the top-left corner of the image, ours the center of its first pixel


def feature_values(
    keypoints: ArrayLike,
    descriptors: ArrayLike,
    optional: Mapping[str, ArrayLike | None],
    normalize: DescriptorNorm | None,
) -> dict[str, Any]:
    """Convert the values of keypoints to float32 tensors on the device of the keypoints; see `Features.from_arrays`.

    Args:
        keypoints: Keypoints, shape (n, 2).
        descriptors: Descriptors, shape (n, d).
        optional: Other values by name, with one row per keypoint; "scores" among them.
        normalize: Normalization of the descriptors.

    Raises:
        InvalidInput: If a value is no array of numbers, or descriptors seem to be transposed.
    """
    points = to_keypoints(keypoints)
    vectors = _to_tensor("descriptors", descriptors, points.device)
    if vectors.ndim == 2 and vectors.shape[1] == len(points) != vectors.shape[0]:
        raise InvalidInput(
            f"descriptors: expected shape ({len(points)}, d), got {tuple(vectors.shape)}; transpose them (hloc stores them "
            "as columns)"
        )
    values = {name: None if v is None else _to_tensor(name, v, points.device) for name, v in optional.items()}
    if values["scores"] is None:
        values["scores"] = torch.ones(len(points), dtype=torch.float32, device=points.device)
    return {"keypoints": points, "descriptors": normalized(vectors, normalize), **values}


def to_keypoints(keypoints: ArrayLike) -> Float[Tensor, "n 2"]:
    """Convert keypoints to a float32 tensor of shape (n, 2).

    Raises:
        InvalidInput: If they have another shape.
    """
    points = _to_tensor("keypoints", keypoints)
    if points.numel() == 0:
        points = points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InvalidInput(f"keypoints: expected shape (n, 2), got {tuple(points.shape)}")
    return points


def normalized(descriptors: Float[Tensor, "n d"], norm: DescriptorNorm | None) -> Float[Tensor, "n d"]:
    """Normalize descriptors.

    RootSIFT is the square root of the histogram divided by its sum (Arandjelovic and Zisserman, CVPR 2012), which is what
    LightGlue for SIFT was trained with.

    Raises:
        InvalidInput: If the norm is unknown.
    """
    if norm is None:
        return descriptors
    if norm == "l2":
        return torch.nn.functional.normalize(descriptors, dim=-1)
    if norm == "rootsift":
        return root_sift(descriptors)
    raise InvalidInput(f"normalize: expected 'l2', 'rootsift' or None, got {norm!r}")


def root_sift(descriptors: Float[Tensor, "n d"], epsilon: float = 1e-6) -> Float[Tensor, "n d"]:
    """Return RootSIFT descriptors, computed as in cvg/LightGlue `sift_to_rootsift`."""
    relative = torch.nn.functional.normalize(descriptors, p=1, dim=-1, eps=epsilon)
    return torch.nn.functional.normalize(relative.clamp(min=epsilon).sqrt(), dim=-1, eps=epsilon)


def opencv_values(keypoints: Sequence[Any], descriptors: ArrayLike) -> dict[str, Any]:
    """Return the arguments of `Features.from_arrays` for keypoints of type cv2.KeyPoint.

    Raises:
        InvalidInput: If descriptors are binary.
    """
    vectors = np.zeros((0, 128), np.float32) if descriptors is None else np.asarray(descriptors)
    if vectors.dtype == np.uint8:
        raise InvalidInput(
            "descriptors: got uint8, which are binary (ORB, BRISK, AKAZE) and compared by Hamming distance; expected "
            "descriptors in floating point, such as SIFT's"
        )
    return {
        "keypoints": np.array([k.pt for k in keypoints], np.float32).reshape(-1, 2),
        "descriptors": vectors,
        "scores": np.array([k.response for k in keypoints], np.float32),
        "scales": np.array([k.size for k in keypoints], np.float32),
        "orientations": _orientations(np.array([k.angle for k in keypoints], np.float32)),
    }


def _orientations(angles: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"] | None:
    """Convert `KeyPoint.angle` to rad; None if no keypoint has one, and 0 for those without one among others."""
    is_unknown = angles == UNKNOWN_ANGLE
    if len(angles) and is_unknown.all():
        return None
    return np.deg2rad(np.where(is_unknown, np.float32(0), angles))


def to_opencv_keypoints(features: "Features") -> list[Any]:
    """Return keypoints of type cv2.KeyPoint; see `Features.to_opencv`."""
    cv2 = import_optional("cv2", purpose="conversion to OpenCV", install="tiepoint[opencv]")
    scales = _column(features.scales, len(features), 1.0)
    degrees = None if features.orientations is None else features.orientations.rad2deg() % 360
    angles = _column(degrees, len(features), UNKNOWN_ANGLE)
    angles = np.where(angles == 360, np.float32(0), angles)  # small negative angles are rounded to 360
    rows = zip(_array(features.keypoints), scales, angles, _array(features.scores), strict=True)
    return [
        cv2.KeyPoint(float(x), float(y), float(size), float(angle), float(response))
        for (x, y), size, angle, response in rows
    ]


def to_opencv_matches(matches: np.ndarray, scores: np.ndarray) -> list[Any]:
    """Return matches of type cv2.DMatch, with 1 - score as distance."""
    cv2 = import_optional("cv2", purpose="conversion to OpenCV", install="tiepoint[opencv]")
    return [cv2.DMatch(int(i), int(j), float(1 - s)) for (i, j), s in zip(matches, scores, strict=True)]


def to_lafs(features: "Features", default_scale: float) -> Float[Tensor, "1 n 2 3"]:
    """Return kornia's local affine frames; see `Features.to_lafs`."""
    points = features.keypoints.float()
    scales = torch.full_like(points[:, 0], default_scale) if features.scales is None else features.scales
    angles = torch.zeros_like(points[:, 0]) if features.orientations is None else features.orientations
    cosines, sines = scales * angles.cos(), scales * angles.sin()
    rows = ((cosines, sines, points[:, 0]), (-sines, cosines, points[:, 1]))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)[None]


def to_hloc(features: "Features") -> dict[str, np.ndarray]:
    """Return the arrays of hloc's feature files; see `Features.to_hloc`."""
    return {
        "keypoints": _array(features.keypoints),
        "descriptors": _array(features.descriptors).T,
        "scores": _array(features.scores),
        "image_size": np.array(features.image_size),
    }


def to_colmap(features: "Features") -> Float[np.ndarray, "n c"]:
    """Return the keypoints in COLMAP's convention; see `Features.to_colmap`."""
    columns = [_array(features.keypoints) + np.float32(COLMAP_CORNER)]
    if features.scales is not None and features.orientations is not None:
        columns += [_array(features.scales)[:, None], _array(features.orientations)[:, None]]
    return np.concatenate(columns, axis=1)


def _to_tensor(name: str, value: ArrayLike, device: torch.device | str = "cpu") -> Tensor:
    """Convert numbers to float32, the precision of all features; arrays to a device, on which tensors are already."""
    try:
        if not isinstance(value, Tensor):
            return torch.from_numpy(np.array(value, dtype=np.float32)).to(device)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name}: expected an array of numbers, got {describe(value)}") from error
    return value.detach().to(torch.float32)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _column(tensor: Tensor | None, count: int, default: float) -> np.ndarray:
    return np.full(count, default, np.float32) if tensor is None else _array(tensor)
