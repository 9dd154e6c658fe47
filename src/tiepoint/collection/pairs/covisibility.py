"""Covisible pairs: images of a COLMAP model that observe many common 3D points."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import read_reconstruction
from tiepoint.io.hashing import file_digest, short_digest

PARTNERS_PER_IMAGE = 20
"""Number of images that each image is paired with, as in hloc's recipes."""

MODEL_FILES = ("images", "points3D")


def covisible_images(reconstruction: Any, count: int) -> dict[int, list[int]]:
    """Find the images that observe the most 3D points in common with each image.

    Args:
        reconstruction: pycolmap's Reconstruction.
        count: Maximum number of images for each.

    Returns:
        Image ID -> image IDs by decreasing number of common points, ties by ID.
    """
    observers = {
        point_id: {element.image_id for element in point.track.elements}
        for point_id, point in reconstruction.points3D.items()
    }
    ranked = dict[int, list[int]]()
    for image_id, image in sorted(reconstruction.images.items()):
        points = {point.point3D_id for point in image.points2D if point.has_point3D()}
        common = Counter(other for point in points for other in observers[point] if other != image_id)
        ranked[image_id] = sorted(common, key=lambda other: (-common[other], other))[:count]
    return ranked


def read_covisible_pairs(
    model: Path, names: list[str], count: int = PARTNERS_PER_IMAGE
) -> tuple[Int32[np.ndarray, "p 2"], list[str]]:
    """Read the covisible pairs of a model.

    Args:
        model: Folder of the model.
        names: Names of all images; those of the model are relative to the same folder.
        count: Maximum number of images for each.

    Returns:
        Index pairs into `names`, and one message per image that is in no pair.

    Raises:
        InvalidInput: If the model cannot be read, or shows none of the images.
        MissingDependency: If pycolmap is not installed.
    """
    reconstruction = read_reconstruction(model)
    indices = {name: index for index, name in enumerate(names)}
    known = {i: indices[image.name] for i, image in reconstruction.images.items() if image.name in indices}
    if not known:
        raise InvalidInput(
            f"the model {model} shows none of the images; it needs their names, such as {names[0]!r}"
            if names
            else f"there are no images to pair by the model {model}"
        )
    pairs = [
        (known[image], known[other])
        for image, others in covisible_images(reconstruction, count).items()
        for other in others
        if image in known and other in known
    ]
    paired = {index for pair in pairs for index in pair}
    problems = [
        f"{name}: shares no 3D point with another image in {model}, so it is in no pair; use retrieval or a list"
        for index, name in enumerate(names)
        if index not in paired
    ]
    return np.array(pairs, np.int32).reshape(-1, 2), problems


def model_digest(model: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the images and points of a model.

    Args:
        model: Folder of the model.

    Raises:
        InvalidInput: If it has no such files.
    """
    files = [model / f"{name}{suffix}" for suffix in (".bin", ".txt") for name in MODEL_FILES]
    found = [path for path in files if path.is_file()]
    if len(found) < len(MODEL_FILES):
        raise InvalidInput(
            f"{model} is not the folder of a COLMAP model, it has no {' and '.join(MODEL_FILES)} (.bin or .txt)"
        )
    return short_digest("".join(map(file_digest, found)))
