"""Cameras that rotate about one center: focal lengths and rotations from our matches.

OpenCV initializes them from the homographies along a spanning tree; `adjustment` refines them. (OpenCV's own bundle
adjustment has a squared loss, and diverges where a few pairs are false: see docs/log.md.)
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.intrinsics import exif_camera
from tiepoint.io.optional import import_optional
from tiepoint.stitching.adjustment import Points, State, adjust, observe
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.pair_matches import PairMatch
from tiepoint.stitching.views import RotatedView

SIDE = 1000.0  # px of the longer side of all images for OpenCV, which assumes one focal length in px
CONFIDENCE = 2.0  # of all pairs that are used; OpenCV leaves out those below its threshold of 1
FOCAL_WEIGHT = 1.0  # of the squared logarithm of a focal length over the initial one
MIN_DEPTH = 1e-3  # z of rays in front of a camera
MIN_FOCAL, MAX_FOCAL = 0.1, 100.0  # in units of half the longer side: 169 and 1 degrees


def import_cv2() -> Any:
    """Import OpenCV.

    Raises:
        MissingDependency: If it is not installed.
    """
    return import_optional("cv2", purpose="stitching", install="tiepoint[opencv]")


def estimate_rotations(inputs: Sequence[StitchInput], edges: Sequence[PairMatch]) -> list[RotatedView]:
    """Estimate focal length and rotation of every image.

    The focal lengths are initialized from EXIF data if all images have them, otherwise from the homographies.

    Args:
        inputs: Images of a connected component.
        edges: Pairs of these images that overlap.

    Returns:
        Views in the order of the images, in the frame of one of the cameras.

    Raises:
        InvalidInput: If no focal lengths and rotations explain the matches.
        MissingDependency: If OpenCV is not installed.
    """
    position = {each.index: number for number, each in enumerate(inputs)}
    state = _initial_state(import_cv2(), inputs, edges, position)
    sizes = [each.image_size for each in inputs]
    model = _Rotations(state[:, 0])
    is_free = np.ones((len(inputs), 4), dtype=bool)
    is_free[0, 1:] = False  # one rotation defines the frame
    adjusted = adjust(model, state, observe(edges, position, sizes), is_free)
    focal_lengths = np.exp(adjusted[:, 0])
    if not (
        np.isfinite(adjusted).all()
        and (focal_lengths > MIN_FOCAL).all()
        and (focal_lengths < MAX_FOCAL).all()
    ):
        raise _unexplained()
    return [
        RotatedView(
            image_size=size,
            focal_px=float(focal) * max(size) / 2,
            world_from_cam=_orthonormal(row[1:].reshape(3, 3)),
        )
        for row, focal, size in zip(adjusted, focal_lengths, sizes, strict=True)
    ]


class _Rotations:
    """States are the logarithm of the focal length, in half the longer side, and a rotation world_from_cam.

    Args:
        log_focal: Initial logarithms, to which the focal lengths are weakly drawn.
    """

    num_parameters = 4

    def __init__(self, log_focal: Float[np.ndarray, "n"]) -> None:
        self._log_focal = log_focal

    def updated(self, state: State, step: Float[np.ndarray, "n 4"]) -> State:
        rotations = _exponential(step[:, 1:]) @ state[:, 1:].reshape(-1, 3, 3)
        return np.concatenate([state[:, :1] + step[:, :1], rotations.reshape(len(state), 9)], axis=1)

    def transferred(
        self, state0: Float[np.ndarray, "e 10"], state1: Float[np.ndarray, "e 10"], points: Points
    ) -> Points:
        focal0, focal1 = (np.exp(np.clip(state[:, :1, None], -20, 20)) for state in (state0, state1))
        rotation0, rotation1 = (state[:, 1:].reshape(-1, 3, 3) for state in (state0, state1))
        rays = np.concatenate([points / focal0, np.ones((*points.shape[:-1], 1))], axis=-1)
        rays = rays @ np.swapaxes(rotation0, 1, 2) @ rotation1  # (R1^T R0 ray)^T
        behind = rays[..., 2:] <= MIN_DEPTH
        return np.where(behind, 1e6, rays[..., :2] * focal1 / np.where(behind, 1.0, rays[..., 2:]))

    def prior(self, state: State) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n 4"]]:
        residuals, weights = np.zeros((2, len(state), 4))
        residuals[:, 0], weights[:, 0] = state[:, 0] - self._log_focal, FOCAL_WEIGHT * 1e-4
        return residuals, weights


def _initial_state(
    cv2: Any, inputs: Sequence[StitchInput], edges: Sequence[PairMatch], position: dict[int, int]
) -> State:
    """Focal lengths and rotations by OpenCV, along the spanning tree with the largest supports."""
    features = [_features(cv2, number, each) for number, each in enumerate(inputs)]
    infos = _matches(cv2, inputs, edges, position)
    priors = [exif_camera(each.name, each.image_size) if each.features.source else None for each in inputs]
    known = [
        float(prior.focal_lengths[0]) * SIDE / max(each.image_size)
        for prior, each in zip(priors, inputs, strict=True)
        if prior is not None
    ]
    if len(known) == len(inputs):
        given = [_camera(cv2, focal, each) for focal, each in zip(known, features, strict=True)]
        success, cameras = cv2.detail_HomographyBasedEstimator(True).apply(features, infos, given)
    else:
        success, cameras = cv2.detail_HomographyBasedEstimator().apply(features, infos, None)
    rows = [
        np.concatenate(
            [[math.log(2 * camera.focal / SIDE)], _orthonormal(np.asarray(camera.R, np.float64)).ravel()]
        )
        for camera in (cameras if success else ())
        if camera.focal > 0 and np.isfinite(camera.R).all()
    ]
    if len(rows) != len(inputs) or not np.isfinite(rows).all():
        raise _unexplained()
    return np.stack(rows)


def _matches(
    cv2: Any, inputs: Sequence[StitchInput], edges: Sequence[PairMatch], position: dict[int, int]
) -> list[Any]:
    """Return OpenCV's `MatchesInfo` of every ordered pair: homographies between px relative to the image centers."""
    infos = [cv2.detail_MatchesInfo() for _ in range(len(inputs) ** 2)]
    for info in infos:
        info.src_img_idx = info.dst_img_idx = -1
    for edge in edges:
        assert edge.estimate.matrix is not None, "edges have a homography"
        i, j = position[edge.index0], position[edge.index1]
        H = (
            np.linalg.inv(_from_center(inputs[j].image_size))
            @ edge.estimate.matrix
            @ _from_center(inputs[i].image_size)
        )
        for first, second, matrix in ((i, j, H), (j, i, np.linalg.inv(H))):
            info = infos[first * len(inputs) + second]
            info.src_img_idx, info.dst_img_idx = first, second
            info.num_inliers, info.confidence = edge.estimate.num_inliers, CONFIDENCE
            info.H = matrix / matrix[2, 2]
    return infos


def _features(cv2: Any, number: int, image: StitchInput) -> Any:
    features = cv2.detail_ImageFeatures()
    scale = SIDE / max(image.image_size)
    features.img_idx = number
    features.img_size = (round(image.image_size[0] * scale), round(image.image_size[1] * scale))
    return features


def _camera(cv2: Any, focal: float, features: Any) -> Any:
    camera = cv2.detail_CameraParams()
    camera.focal, camera.aspect = focal, 1.0
    camera.ppx, camera.ppy = features.img_size[0] / 2, features.img_size[1] / 2
    camera.R, camera.t = np.eye(3), np.zeros((3, 1))
    return camera


def _from_center(size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Matrix from px relative to the center of an image whose longer side is `SIDE` to px."""
    scale = max(size) / SIDE
    return np.array([[scale, 0, (size[0] - 1) / 2], [0, scale, (size[1] - 1) / 2], [0, 0, 1.0]])


def _exponential(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotation matrices of rotation vectors (Rodrigues)."""
    angles = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    safe = np.where(angles > 1e-9, angles, 1.0)
    first = np.where(angles > 1e-9, np.sin(safe) / safe, 1.0)
    second = np.where(angles > 1e-9, (1 - np.cos(safe)) / safe**2, 0.5)
    return np.eye(3) + first * cross + second * (cross @ cross)


def _orthonormal(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Nearest rotation; OpenCV's matrices are homographies up to scale."""
    U, _, Vt = np.linalg.svd(matrix)
    return U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt


def _unexplained() -> InvalidInput:
    return InvalidInput(
        "no rotations and focal lengths explain the matches; the camera moved between the images"
    )
