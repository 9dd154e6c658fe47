"""Keypoints of a model at full resolution: each track is aligned to one of its views, then bundle adjustment runs again.

The view that looks at a point most centrally is the reference; the patches of the others, warped by the plane that faces
both cameras, are aligned to it by Lucas-Kanade, coarse to fine. An observation moves only if its patch is found again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from tiepoint.collection.images import ImageRecord
from tiepoint.geometry.colmap import HALF_PIXEL, cam_from_world, quiet_pycolmap, require_pycolmap
from tiepoint.geometry.patch_alignment import align_patches
from tiepoint.image import read_image
from tiepoint.image.exif import ORIENTATIONS

ROUNDS = 2
"""Alignments of the keypoints, each followed by a bundle adjustment."""

LEVELS = ((2, 2.0), (1, 1.0))
"""Number of blurs and distance of samples in px, coarse to fine."""

RADIUS = 7  # samples on each side of a keypoint
MIN_CORRELATION = 0.8
MAX_MOVE_PX = 4.0
"""Maximum distance of a refined keypoint from the found one; COLMAP's `filter_max_reproj_error`."""

LOSS_SCALE_PX = 0.5
"""Scale of the Cauchy loss of the bundle adjustment: keypoints that were not refined weigh less than refined ones."""

MIN_TRI_ANGLE_DEG = 1.5  # COLMAP's `filter_min_tri_angle`
PATCHES_PER_BLOCK = 4096
IMAGES_IN_MEMORY = 12
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """What the final bundle adjustment may change.

    Attributes:
        refine_poses: Whether poses change.
        refine_intrinsics: Whether cameras change.
        threads: Number of threads; -1 for all cores.
    """

    refine_poses: bool = True
    refine_intrinsics: bool = True
    threads: int = 1


class _Observations(NamedTuple):
    """Observations in image 1 whose tracks have their reference in image 0."""

    points: Float[np.ndarray, "n 3"]
    keypoints0: Int[np.ndarray, "n"]
    keypoints1: Int[np.ndarray, "n"]


def refine_keypoints(model: Any, images: Mapping[str, ImageRecord], settings: Refinement) -> int:
    """Refine the observed keypoints of a model in place, and adjust it.

    Args:
        model: `pycolmap.Reconstruction`.
        images: Records of its images by name.
        settings: Parameters that bundle adjustment may change.

    Returns:
        Number of moved observations.

    Raises:
        InvalidInput: If an image cannot be read.
    """
    read = lru_cache(IMAGES_IN_MEMORY)(lambda name: _pyramid(images[name]))
    found = {number: _positions(model.image(number)) for number in model.reg_image_ids()}
    moved: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        for (number0, number1), observations in _by_pair(model):
            aligned, accepted = _align(model, number0, number1, observations, read, found)
            image = model.image(number1)
            for index, xy in zip(observations.keypoints1[accepted].tolist(), aligned[accepted], strict=True):
                image.points2D[index].xy = xy
                moved.add((number1, index))
        adjust(model, settings)
    return len(moved)


def adjust(model: Any, settings: Refinement) -> None:
    """Adjust a model to its keypoints, remove outliers, and keep its world.

    Args:
        model: `pycolmap.Reconstruction`, changed in place.
        settings: Parameters that may change.
    """
    pycolmap = require_pycolmap()
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_rig_from_world = settings.refine_poses
    options.refine_focal_length = options.refine_extra_params = settings.refine_intrinsics
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = LOSS_SCALE_PX
    options.ceres.solver_options.num_threads = settings.threads
    numbers = sorted(model.reg_image_ids())
    before = np.array([model.image(number).projection_center() for number in numbers])
    with quiet_pycolmap(silent=True):
        pycolmap.bundle_adjustment(model, options)
        pycolmap.ObservationManager(model).filter_all_points3D(MAX_MOVE_PX, MIN_TRI_ANGLE_DEG)
        after = np.array([model.image(number).projection_center() for number in numbers])
        if settings.refine_poses and len(numbers) > 2:
            similarity = pycolmap.estimate_sim3d(after, before)
            if similarity is not None:
                model.transform(similarity)
    model.update_point_3d_errors()


def _by_pair(model: Any) -> Iterator[tuple[tuple[int, int], _Observations]]:
    """Yield the observations by reference image and image, in an order in which few images are needed at once."""
    centers = {number: model.image(number).projection_center() for number in model.reg_image_ids()}
    rows: dict[tuple[int, int], list[tuple[Any, int, int]]] = defaultdict(list)
    for point_id in sorted(model.point3D_ids()):
        point = model.point3D(point_id)
        track = [(each.image_id, each.point2D_idx) for each in point.track.elements]
        rays = np.array([centers[number] - point.xyz for number, _ in track])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        reference = int(np.argmax(rays @ rays.sum(axis=0)))
        number0, keypoint0 = track[reference]
        for number1, keypoint1 in track:
            if number1 != number0:
                rows[number0, number1].append((point.xyz, keypoint0, keypoint1))
    for pair in sorted(rows):
        points, keypoints0, keypoints1 = zip(*rows[pair], strict=True)
        yield pair, _Observations(np.array(points), np.array(keypoints0), np.array(keypoints1))


def _align(
    model: Any,
    number0: int,
    number1: int,
    observations: _Observations,
    read: Any,
    found: Mapping[int, Float[np.ndarray, "m 2"]],
) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, "n"]]:
    """Return refined positions in image 1, and which ones are accepted."""
    image0, image1 = model.image(number0), model.image(number1)
    reference = _positions(image0)[observations.keypoints0]
    warps = _warps(model, image0, image1, reference, observations.points)
    offset = reference - _project(model, image0, observations.points)
    start = _project(model, image1, observations.points) + np.einsum("nij,nj->ni", warps, offset)
    aligned, accepted = start.copy(), np.zeros(len(start), bool)
    pyramids = read(image0.name), read(image1.name)
    for first in range(0, len(start), PATCHES_PER_BLOCK):
        block = slice(first, first + PATCHES_PER_BLOCK)
        points, accepted[block] = _coarse_to_fine(pyramids, reference[block], start[block], warps[block])
        aligned[block] = points
    moves = np.linalg.norm(aligned - found[number1][observations.keypoints1], axis=1)
    return aligned, accepted & (moves <= MAX_MOVE_PX)


def _coarse_to_fine(
    pyramids: tuple[list[Float32[np.ndarray, "h w"]], list[Float32[np.ndarray, "h w"]]],
    reference: Float[np.ndarray, "n 2"],
    start: Float[np.ndarray, "n 2"],
    warps: Float[np.ndarray, "n 2 2"],
) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, "n"]]:
    points, accepted = start - HALF_PIXEL, np.zeros(len(start), bool)
    for (_, step), gray0, gray1 in zip(LEVELS, *pyramids, strict=True):
        result = align_patches(gray0, gray1, reference - HALF_PIXEL, points, warps, radius=RADIUS, step=step)
        points = np.where(result.converged[:, None], result.points, points)
        accepted = result.converged & (result.correlation > MIN_CORRELATION)
    return points + HALF_PIXEL, accepted


def _warps(
    model: Any, image0: Any, image1: Any, pixels: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 2 2"]:
    """Return the derivative of the map from image 0 to image 1 by the planes that face both cameras."""
    centers = [image.projection_center() for image in (image0, image1)]
    rays = [(center - points) / np.linalg.norm(center - points, axis=1, keepdims=True) for center in centers]
    normals = rays[0] + rays[1]
    half = RADIUS / 2
    columns = []
    for shift in (np.array([half, 0.0]), np.array([0.0, half])):
        ends = [
            _project(model, image1, _on_plane(model, image0, pixels + sign * shift, points, normals))
            for sign in (1, -1)
        ]
        columns.append((ends[0] - ends[1]) / (2 * half))
    return np.stack(columns, axis=-1)


def _on_plane(
    model: Any,
    image: Any,
    pixels: Float[np.ndarray, "n 2"],
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "n 3"]:
    """Intersect the rays of pixels with planes through points."""
    pose, center = cam_from_world(image), image.projection_center()
    normalized = model.camera(image.camera_id).cam_from_img(pixels)
    rays = np.column_stack([normalized, np.ones(len(pixels))]) @ pose[:, :3]
    depths = ((points - center) * normals).sum(axis=1) / (rays * normals).sum(axis=1)
    return center + depths[:, None] * rays


def _project(model: Any, image: Any, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
    pose = cam_from_world(image)
    return model.camera(image.camera_id).img_from_cam(points @ pose[:, :3].T + pose[:, 3])


def _positions(image: Any) -> Float[np.ndarray, "m 2"]:
    return np.array([point.xy for point in image.points2D]).reshape(-1, 2)


def _pyramid(record: ImageRecord) -> list[Float32[np.ndarray, "h w"]]:
    """Return the gray stored raster of an image at each level, blurred without reduction."""
    array = read_image(record.path, stretch="auto").to_array().channels
    gray = array[0] if len(array) == 1 else (array * LUMINANCE).sum(axis=0)
    orientation = ORIENTATIONS[record.exif_orientation]
    gray = gray.T if orientation.swaps_axes else gray
    gray = gray[:, ::-1] if orientation.flips_x else gray
    gray = gray[::-1] if orientation.flips_y else gray
    gray = np.ascontiguousarray(gray, np.float32)
    return [_blur(gray, count) for count, _ in LEVELS]


def _blur(gray: Float32[np.ndarray, "h w"], count: int) -> Float32[np.ndarray, "h w"]:
    """Blur with the binomial filter of 5 x 5 px, repeatedly."""
    for _ in range(count):
        for axis in (0, 1):
            padding = [(2, 2) if axis == each else (0, 0) for each in (0, 1)]
            padded = np.pad(gray, padding, mode="edge")
            gray = np.zeros_like(gray)
            for shift, weight in enumerate(BINOMIAL):
                window = [slice(None), slice(None)]
                window[axis] = slice(shift, shift + gray.shape[axis])
                gray += np.float32(weight) * padded[tuple(window)]
    return gray
