"""Cameras and poses of images that are turned by quarter turns, counter-clockwise as `numpy.rot90`."""

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import PoseGroundTruth
from tiepoint.types import Camera

QUARTER_TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
"""turned_from_camera: what was right is up afterwards, and y points down."""


def turn_truth(truth: PoseGroundTruth, quarter_turns0: int, quarter_turns1: int) -> PoseGroundTruth:
    """The truth of the turned images, from that of the images as they are."""
    R0 = np.linalg.matrix_power(QUARTER_TURN, quarter_turns0)
    R, t = truth.cam1_from_cam0[:, :3], truth.cam1_from_cam0[:, 3]
    return PoseGroundTruth(
        camera0=turn_camera(truth.camera0, quarter_turns0),
        camera1=turn_camera(truth.camera1, quarter_turns1),
        cam1_from_cam0=turn_pose(np.column_stack([R @ R0.T, t]), quarter_turns1),
    )


def turn_pose(cam_from_world: Float[np.ndarray, "3 4"], quarter_turns: int) -> Float[np.ndarray, "3 4"]:
    """The pose of a camera whose image is turned."""
    return np.linalg.matrix_power(QUARTER_TURN, quarter_turns) @ cam_from_world


def turn_camera(camera: Camera, quarter_turns: int) -> Camera:
    """The camera of the turned image.

    Raises:
        InvalidInput: the camera's image size isn't known.
    """
    for _ in range(quarter_turns):
        camera = _turn_once(camera)
    return camera


def _turn_once(camera: Camera) -> Camera:
    if camera.image_size is None:
        raise InvalidInput("a camera can be turned only if its image size is known; give image_size")
    width, height = camera.image_size
    (fx, fy), (cx, cy) = camera.focal_lengths, camera.principal_point
    K = np.array([[fy, 0, cy], [0, fx, width - 1 - cx], [0, 0, 1]])
    k1, k2, p1, p2 = camera.distortion
    if camera.model in ("PINHOLE", "SIMPLE_PINHOLE"):
        return Camera.from_intrinsics(K, (height, width), source=camera.source)
    # Tangential distortion (p2, p1) is a vector of the image plane and turns with it.
    return Camera.from_intrinsics(K, (height, width), distortion=(k1, k2, -p2, p1), source=camera.source)
