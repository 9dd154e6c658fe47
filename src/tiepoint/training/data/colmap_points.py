"""Covisible images of a COLMAP reconstruction, and the 3D points of keypoints, from tracks or depth maps."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import require_pycolmap
from tiepoint.geometry.ground_truth import mutual_nearest, pairwise_distances
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, bytes_digest, short_digest
from tiepoint.training.data.deduplication import content_digest

DEPTH_MAP_SUFFIXES = (".geometric.bin", ".photometric.bin")
"""Suffixes of COLMAP's depth maps, in order of preference."""


def count_shared_points(reconstruction: Any, keys: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """Count the 3D points that two images share, for all covisible pairs, sorted by image names.

    Args:
        reconstruction: A `pycolmap.Reconstruction`.
        keys: Image name -> key of the image in the result; other images are left out.
    """
    names = {image_id: image.name for image_id, image in reconstruction.images.items()}
    shared: Counter[tuple[str, str]] = Counter()
    for point in reconstruction.points3D.values():
        observers = sorted({names[element.image_id] for element in point.track.elements} & keys.keys())
        shared.update(combinations(observers, 2))
    return {(keys[name0], keys[name1]): count for (name0, name1), count in sorted(shared.items())}


def covisible_images(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Map each image key to the keys of the images it is paired with."""
    covisible: defaultdict[str, set[str]] = defaultdict(set)
    for key0, key1 in pairs:
        covisible[key0].add(key1)
        covisible[key1].add(key0)
    return {key: frozenset(covisible[key]) for key in keys}


def reconstruction_digest(folder: Path) -> str:
    """Return a short digest of the files of a COLMAP model."""
    paths = sorted(folder.glob("*.bin")) or sorted(folder.glob("*.txt"))
    return bytes_digest(b"".join(path.name.encode() + path.read_bytes() for path in paths))[
        :SHORT_DIGEST_LENGTH
    ]


def depth_maps_digest(folder: Path, names: Iterable[str]) -> str:
    """Return a short digest of the contents of the depth maps of these images.

    Sizes and modification times are not enough: recomputed maps have the same size, and a copy of the folder on
    another machine has other times.

    Raises:
        InvalidInput: If a depth map cannot be read, or no image has one.
    """
    digests = {}
    for name in names:
        if path := _depth_map_path(folder, name):
            try:
                digests[name] = path.name + content_digest(path)
            except OSError as error:
                raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    if not digests:
        raise InvalidInput(
            f"no depth map of the reconstruction's images found in {folder}; expected COLMAP's stereo/depth_maps"
        )
    return short_digest(repr(sorted(digests.items())))


def read_depth_map(folder: Path, name: str) -> Float32[np.ndarray, "h w"] | None:
    """Read COLMAP's depth map of an image; None if the image has none.

    Raises:
        InvalidInput: If the depth map is damaged.
    """
    path = _depth_map_path(folder, name)
    if path is None:
        return None
    depth = require_pycolmap().DepthMap()
    try:
        depth.read(path)
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"cannot read {path} as a COLMAP depth map: damaged file; compute it again"
        ) from error
    return np.asarray(depth.to_array(), np.float32)


def observations(image: Any, reconstruction: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2D-3D correspondences of an image.

    Args:
        image: A `pycolmap.Image`.
        reconstruction: The `pycolmap.Reconstruction` of the image.

    Returns:
        Observations (k, 2) in px of the file's raster, and their 3D points (k, 3).
    """
    points2D = image.get_observation_points2D()
    observed = np.array([point.xy for point in points2D], np.float64).reshape(-1, 2)
    points3D = np.array([reconstruction.points3D[point.point3D_id].xyz for point in points2D], np.float64)
    return observed, points3D.reshape(-1, 3)


def points_from_tracks(
    keypoints: Float[np.ndarray, "n 2"],
    observed: Float[np.ndarray, "k 2"],
    track_points: Float[np.ndarray, "k 3"],
    max_px: float,
) -> Float[np.ndarray, "n 3"]:
    """Return the 3D point of each keypoint: that of the mutually nearest observation, or NaN.

    Args:
        keypoints: Keypoints (x, y) in px.
        observed: Observations (x, y) of `track_points` in the same px.
        track_points: 3D points of the observations.
        max_px: Maximum distance between keypoint and observation in px.
    """
    distances = pairwise_distances(torch.from_numpy(keypoints), torch.from_numpy(observed))
    nearest = mutual_nearest(distances, max_px).matches0.numpy()
    points = np.full((len(keypoints), 3), np.nan)
    points[nearest >= 0] = track_points[nearest[nearest >= 0]]
    return points


def points_from_depth(
    keypoints: Float[np.ndarray, "n 2"],
    rays: Float[np.ndarray, "n 2"],
    depth: Float32[np.ndarray, "h w"],
    raster_size: tuple[int, int],
    cam_from_world: Float[np.ndarray, "3 4"],
) -> Float[np.ndarray, "n 3"]:
    """Return the 3D point of each keypoint by the nearest pixel of a depth map; NaN where the depth is unknown.

    Args:
        keypoints: Keypoints (x, y) in px of the file's raster, in COLMAP's convention.
        rays: Keypoints on the normalized image plane (z = 1).
        depth: Depth along the camera's z axis, 0 where unknown; the map may be smaller than the raster.
        raster_size: Size (width, height) of the file's raster in px.
        cam_from_world: Camera pose, [R | t].
    """
    height, width = depth.shape
    pixels = np.floor(keypoints * np.array([width, height]) / np.array(raster_size)).astype(np.int64)
    columns, rows = pixels.clip(0, [width - 1, height - 1]).T
    z = depth[rows, columns].astype(np.float64)
    z = np.where(np.isfinite(z) & (z > 0), z, np.nan)
    in_camera = np.column_stack([rays, np.ones(len(rays))]) * z[:, None]
    R, t = cam_from_world[:, :3], cam_from_world[:, 3]
    return (in_camera - t) @ R


def _depth_map_path(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{suffix}" for suffix in DEPTH_MAP_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)
