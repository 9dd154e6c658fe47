"""What a finished reconstruction of COLMAP says of photographs: which show the same things, and where keypoints' things are."""

import hashlib
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
from tiepoint.training.data.deduplication import content_digest
from tiepoint.training.data.ground_truth import distances, mutual_nearest

DEPTH_MAPS = (".geometric.bin", ".photometric.bin")
"""Endings of COLMAP's depth maps; the first one that is there is taken."""


def shared_points(reconstruction: Any, keys: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """How many points any two images see together, where they do, in the order of their names.

    Args:
        reconstruction: see `tiepoint.geometry.colmap.read_reconstruction`.
        keys: names of images -> what they are called in pairs; other images are left out.
    """
    names = {number: image.name for number, image in reconstruction.images.items()}
    shared: Counter[tuple[str, str]] = Counter()
    for point in reconstruction.points3D.values():
        seeing = sorted({names[element.image_id] for element in point.track.elements} & keys.keys())
        shared.update(combinations(seeing, 2))
    return {(keys[name0], keys[name1]): count for (name0, name1), count in sorted(shared.items())}


def neighbors(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Each key -> the other keys of its pairs."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key0, key1 in pairs:
        found[key0].add(key1)
        found[key1].add(key0)
    return {key: frozenset(found[key]) for key in keys}


def model_digest(model: Path) -> str:
    """Sixteen hexadecimal digits of the model's files."""
    digest = hashlib.sha256()
    for path in sorted(model.glob("*.bin")) or sorted(model.glob("*.txt")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def depth_maps_digest(folder: Path, names: Iterable[str]) -> str:
    """Sixteen hexadecimal digits of the depth maps of these images.

    Of their contents: maps that were computed anew have the size of the old ones, and a copy of the folder, on
    another machine, has other times.

    Raises:
        InvalidInput: one can't be read, or there is none at all.
    """
    digests = {}
    for name in names:
        if path := _depth_map_path(folder, name):
            try:
                digests[name] = path.name + content_digest(path)
            except OSError as error:
                raise InvalidInput(f"can't read {path}: {error.strerror or error}") from error
    if not digests:
        raise InvalidInput(
            f"{folder} has no depth map of any image of the model; name the folder stereo/depth_maps that belongs to it"
        )
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()[:16]


def read_depth_map(folder: Path, name: str) -> Float32[np.ndarray, "h w"] | None:
    """COLMAP's depth map of the image of this name; None where there is none.

    Raises:
        InvalidInput: it is damaged.
    """
    path = _depth_map_path(folder, name)
    if path is None:
        return None
    depth = require_pycolmap().DepthMap()
    try:
        depth.read(path)
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(f"{path} can't be read as a depth map of COLMAP; make it again") from error
    return np.asarray(depth.to_array(), np.float32)


def observations(image: Any, reconstruction: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where an image shows points in space, (k, 2) in px of the file's raster, and those points, (k, 3)."""
    seen = image.get_observation_points2D()
    places = np.array([point.xy for point in seen], np.float64).reshape(-1, 2)
    points = np.array([reconstruction.points3D[point.point3D_id].xyz for point in seen], np.float64)
    return places, points.reshape(-1, 3)


def points_of_tracks(
    keypoints: Float[np.ndarray, "n 2"],
    seen: Float[np.ndarray, "k 2"],
    points: Float[np.ndarray, "k 3"],
    max_px: float,
) -> Float[np.ndarray, "n 3"]:
    """The point in space of each keypoint: that of the observation which is its mutual nearest, or NaN.

    Args:
        keypoints: (x, y) in px.
        seen: where the image shows `points`, in the same px.
        points: of tracks.
        max_px: an observation must be closer than this.
    """
    apart = distances(torch.from_numpy(keypoints).double(), torch.from_numpy(seen).double())
    nearest = mutual_nearest(apart, max_px)[0].numpy()
    known = np.full((len(keypoints), 3), np.nan)
    known[nearest >= 0] = points[nearest[nearest >= 0]]
    return known


def points_of_depth(
    keypoints: Float[np.ndarray, "n 2"],
    rays: Float[np.ndarray, "n 2"],
    depth: Float32[np.ndarray, "h w"],
    raster_size: tuple[int, int],
    cam_from_world: Float[np.ndarray, "3 4"],
) -> Float[np.ndarray, "n 3"]:
    """The point in space of each keypoint by the depth map's nearest px; NaN where it has none there.

    Args:
        keypoints: (x, y) in px of the file's raster, as COLMAP has them.
        rays: the same on the plane z = 1 of the camera.
        depth: along the camera's z axis, 0 where not known; it may be smaller than the raster.
        raster_size: (width, height) in px.
        cam_from_world: of the camera.
    """
    height, width = depth.shape
    places = np.floor(keypoints * np.array([width, height]) / np.array(raster_size)).astype(np.int64)
    columns, rows = places.clip(0, [width - 1, height - 1]).T
    z = depth[rows, columns].astype(np.float64)
    z = np.where(np.isfinite(z) & (z > 0), z, np.nan)
    in_camera = np.column_stack([rays, np.ones(len(rays))]) * z[:, None]
    R, t = cam_from_world[:, :3], cam_from_world[:, 3]
    return (in_camera - t) @ R


def _depth_map_path(folder: Path, name: str) -> Path | None:
    return next((path for end in DEPTH_MAPS if (path := folder / f"{name}{end}").is_file()), None)
