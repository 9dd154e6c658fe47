"""Pairs of each image of a COLMAP model with the nearest cameras that look in a similar direction."""

from pathlib import Path

import numpy as np

from tiepoint.compat.hloc.files import write_pairs
from tiepoint.compat.hloc.pairs_from_retrieval import top_pairs
from tiepoint.geometry.colmap import cam_from_world, read_reconstruction

DEFAULT_ROT_THRESH = 30
"""Maximum angle between the viewing directions of a pair in degrees."""


def main(model: Path, output: Path, num_matched: int, rotation_threshold: float = DEFAULT_ROT_THRESH) -> None:
    """Write the pairs of each image with the nearest cameras.

    Args:
        model: Folder of a COLMAP model.
        output: Output file, two names per line.
        num_matched: Maximum number of neighbors per image.
        rotation_threshold: Maximum angle (exclusive) between the viewing directions of a pair in degrees; rotations around
            the optical axis do not count.

    Raises:
        InvalidInput: If the model cannot be read, or the file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    images = list(read_reconstruction(model).images.values())
    poses = np.stack([cam_from_world(image) for image in images])  # (n, 3, 4)
    centers = -np.einsum("nij,ni->nj", poses[:, :, :3], poses[:, :, 3])
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=2).astype(np.float32)
    axes = poses[:, 2, :3]  # viewing directions in the world
    angles = np.rad2deg(np.arccos(np.clip(axes @ axes.T, -1, 1)))
    excluded = (angles >= rotation_threshold) | np.eye(len(images), dtype=bool)
    pairs = top_pairs(-distances, excluded, num_matched)
    write_pairs(Path(output), ((images[i].name, images[j].name) for i, j in pairs))
