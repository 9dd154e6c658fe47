"""Validated ground truth from numbers; the checks detect wrong columns, orders and image sizes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.parsing import pair_name
from tiepoint.evaluation.ground_truth import EvaluationPair, HomographyGroundTruth, PoseGroundTruth
from tiepoint.geometry.metrics import rotation_error_deg
from tiepoint.types import Camera

PRINCIPAL_POINT_RANGE = (0.3, 0.7)
# Allowed principal points relative to width and height; intrinsics of half or double the size are outside

ORTHOGONALITY_TOLERANCE = 0.01
# Maximum deviation of R R^T from the identity: text files have four digits


def homography_ground_truth(values: Float[np.ndarray, "9"]) -> HomographyGroundTruth:
    """Return the homography of nine numbers in row-major order; raises InvalidInput if it is singular."""
    H = values.reshape(3, 3)
    if np.linalg.matrix_rank(H) < 3:
        raise InvalidInput(f"the homography {H.tolist()} is singular; expected an invertible 3 x 3 matrix")
    return HomographyGroundTruth(homography=H)


def checked_pose(values: np.ndarray) -> Float[np.ndarray, "3 4"]:
    """Return the pose [R | t] of an array of shape (4, 4) or (3, 4).

    Raises:
        InvalidInput: If R is not a rotation, or the last row is not 0 0 0 1.
    """
    R, t = values[:3, :3], values[:3, 3]
    if len(values) == 4 and not np.allclose(values[3], [0, 0, 0, 1], atol=1e-6):
        raise InvalidInput(f"the last row of a pose must be 0 0 0 1, got {values[3].tolist()}")
    if not np.allclose(R @ R.T, np.eye(3), atol=ORTHOGONALITY_TOLERANCE) or np.linalg.det(R) < 0:
        raise InvalidInput(f"the pose has no valid rotation: {R.tolist()}; check the order of the columns")
    return np.column_stack([R, t])


def checked_camera(
    intrinsics: Float[np.ndarray, "3 3"],
    image_size: tuple[int, int],
    distortion: tuple[float, ...] | None = None,
) -> Camera:
    """Return a camera whose principal point is near the center of the image.

    Raises:
        InvalidInput: If the intrinsics are invalid, or seem to belong to another image size.
    """
    camera = Camera.from_intrinsics(intrinsics, image_size, distortion=distortion)
    relative = [value / side for value, side in zip(camera.principal_point, image_size, strict=True)]
    if not all(PRINCIPAL_POINT_RANGE[0] <= value <= PRINCIPAL_POINT_RANGE[1] for value in relative):
        x, y = camera.principal_point
        raise InvalidInput(
            f"the principal point ({x:.1f}, {y:.1f}) is far from the center of the {image_size[0]} x {image_size[1]} "
            "image (width x height); the intrinsics seem to belong to another image size"
        )
    return camera


def scaled_intrinsics(
    intrinsics: Float[np.ndarray, "3 3"], from_size: tuple[int, int], to_size: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsics of the resized image: x' = (x + 0.5) s - 0.5."""
    sx, sy = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5], [0, 0, 1]]) @ intrinsics


def rotation_tag(truth: PoseGroundTruth) -> dict[str, str | float]:
    """Return the tag with the relative rotation angle in degrees, by which metrics may be grouped."""
    return {"rot_deg": round(rotation_error_deg(truth.cam1_from_cam0[:, :3], np.eye(3)), 1)}


def posed_pair(
    scene: str, images: Sequence[Path], truth: PoseGroundTruth, **tags: str | float
) -> EvaluationPair:
    """Return a pair with a relative pose, named after its scene and images and tagged with the rotation angle."""
    image0, image1 = images
    return EvaluationPair(
        name=pair_name(scene, image0, image1),
        scene=scene,
        image0=image0,
        image1=image1,
        truth=truth,
        tags=rotation_tag(truth) | tags,
    )
