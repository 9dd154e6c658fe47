"""Numbers to truths, with the checks that a wrong column, another image size or another order would fail."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.parsing import pair_name
from tiepoint.evaluation.ground_truth import EvaluationPair, HomographyGroundTruth, PoseGroundTruth
from tiepoint.geometry.metrics import rotation_error_deg
from tiepoint.types import Camera

CENTRAL = (0.3, 0.7)
"""Where principal points lie, as a share of width and of height; halves and doubles of the size fall outside."""

NOT_ORTHOGONAL = 0.01
"""How far R R^T may be from the identity: text files have four digits."""


def homography_truth(values: Float[np.ndarray, "9"]) -> HomographyGroundTruth:
    """Row by row. Raises InvalidInput for a matrix that can't be inverted."""
    H = values.reshape(3, 3)
    if np.linalg.matrix_rank(H) < 3:
        raise InvalidInput(f"the homography {H.tolist()} can't be inverted; it maps an image to a line")
    return HomographyGroundTruth(homography=H)


def pose_from(values: np.ndarray) -> Float[np.ndarray, "3 4"]:
    """[R | t] of a (4, 4) or (3, 4) array.

    Raises:
        InvalidInput: R isn't a rotation, or the fourth row isn't 0 0 0 1.
    """
    R, t = values[:3, :3], values[:3, 3]
    if len(values) == 4 and not np.allclose(values[3], [0, 0, 0, 1], atol=1e-6):
        raise InvalidInput(f"the last row of a pose must be 0 0 0 1, but is {values[3].tolist()}")
    if not np.allclose(R @ R.T, np.eye(3), atol=NOT_ORTHOGONAL) or np.linalg.det(R) < 0:
        raise InvalidInput(f"the pose holds no rotation: {R.tolist()}; are the columns in another order?")
    return np.column_stack([R, t])


def camera_of(
    intrinsics: Float[np.ndarray, "3 3"],
    image_size: tuple[int, int],
    distortion: tuple[float, ...] | None = None,
) -> Camera:
    """A camera whose intrinsics are those of this image size.

    Raises:
        InvalidInput: no intrinsics, or those of another image size: the principal point isn't near the center.
    """
    camera = Camera.from_intrinsics(intrinsics, image_size, distortion=distortion)
    shares = [value / side for value, side in zip(camera.principal_point, image_size, strict=True)]
    if not all(CENTRAL[0] <= share <= CENTRAL[1] for share in shares):
        x, y = camera.principal_point
        raise InvalidInput(
            f"the principal point ({x:.1f}, {y:.1f}) is far from the center of the {image_size[0]} x {image_size[1]} "
            "image (width x height); the intrinsics seem to be those of another image size"
        )
    return camera


def scaled_intrinsics(
    intrinsics: Float[np.ndarray, "3 3"], from_size: tuple[int, int], to_size: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """Intrinsics of a resized image: x' = (x + 0.5) s - 0.5."""
    sx, sy = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5], [0, 0, 1]]) @ intrinsics


def rotation_tag(truth: PoseGroundTruth) -> dict[str, str | float]:
    """The angle between the two cameras, to group figures by."""
    return {"rot_deg": round(rotation_error_deg(truth.cam1_from_cam0[:, :3], np.eye(3)), 1)}


def posed_pair(
    scene: str, images: Sequence[Path], truth: PoseGroundTruth, **tags: str | float
) -> EvaluationPair:
    """A pair with a pose, named after its scene and images, and tagged with the angle between the cameras."""
    image0, image1 = images
    return EvaluationPair(
        name=pair_name(scene, image0, image1),
        scene=scene,
        image0=image0,
        image1=image1,
        truth=truth,
        tags=rotation_tag(truth) | tags,
    )
