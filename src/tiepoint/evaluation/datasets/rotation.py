"""Cameras and poses of images rotated by multiples of 90 degrees, counter-clockwise as in `numpy.rot90`."""

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import PoseGroundTruth
from tiepoint.types import Camera

ROTATED_FROM_CAMERA = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
# Rotation of the camera frame for one 90-degree rotation of the image (CCW)


def rotate_ground_truth(truth: PoseGroundTruth, num_rotations0: int, num_rotations1: int) -> PoseGroundTruth:
    """Return the ground truth of the rotated images from that of the original images."""
    R0 = np.linalg.matrix_power(ROTATED_FROM_CAMERA, num_rotations0)
    R, t = truth.cam1_from_cam0[:, :3], truth.cam1_from_cam0[:, 3]
    return PoseGroundTruth(
        camera0=rotate_camera(truth.camera0, num_rotations0),
        camera1=rotate_camera(truth.camera1, num_rotations1),
        cam1_from_cam0=rotate_pose(np.column_stack([R @ R0.T, t]), num_rotations1),
    )


def rotate_pose(cam_from_world: Float[np.ndarray, "3 4"], num_rotations: int) -> Float[np.ndarray, "3 4"]:
    """Return the pose of the camera of the rotated image."""
    return np.linalg.matrix_power(ROTATED_FROM_CAMERA, num_rotations) @ cam_from_world


def rotate_camera(camera: Camera, num_rotations: int) -> Camera:
    """Return the camera of the rotated image.

    Raises:
        InvalidInput: If the image size of the camera is unknown.
    """
    for _ in range(num_rotations):
        camera = _rotate_once(camera)
    return camera


def _rotate_once(camera: Camera) -> Camera:
    if camera.image_size is None:
        raise InvalidInput("cannot rotate a camera without an image size; set image_size")
    width, height = camera.image_size
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    K = np.array([[fy, 0, cy], [0, fx, width - 1 - cx], [0, 0, 1]])
    k1, k2, p1, p2 = camera.distortion
    if camera.model in ("PINHOLE", "SIMPLE_PINHOLE"):
        return Camera.from_intrinsics(K, (height, width), source=camera.source)
    # Tangential distortion (p2, p1) is a vector of the image plane and is rotated with it.
    return Camera.from_intrinsics(K, (height, width), distortion=(k1, k2, -p2, p1), source=camera.source)
