"""PLY: the points of a reconstruction with their colors, for MeshLab, CloudCompare and Gaussian splatting.

Source: Turk, The PLY Polygon File Format, 1994.
"""

import os
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import output_file
from tiepoint.collection.export.sparse_model import SparseModel, read_sparse_model
from tiepoint.io.atomic import atomic_write

VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
TYPES = {"<f4": "float", "|u1": "uchar"}


def export_ply(collection: Collection, file: str | os.PathLike[str] | None = None) -> Path:
    """Write the 3-D points of the reconstruction with their colors, in COLMAP's world.

    Args:
        collection: Reconstructed collection from `open_collection`.
        file: Output file. None: `exports/points.ply` in the collection's folder.

    Returns:
        The output file.

    Raises:
        InvalidInput: If there is no reconstruction, or the file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    model = read_sparse_model(collection)
    path = output_file(file, collection.folder / "exports" / "points.ply")
    with atomic_write(path) as temporary:
        temporary.write_bytes(points_to_ply(model))
    return path


def points_to_ply(model: SparseModel) -> bytes:
    """Return the points as binary, little-endian PLY."""
    vertices = np.empty(len(model.points), dtype=VERTEX)
    for axis, name in enumerate("xyz"):
        vertices[name] = model.points[:, axis]
    for band, name in enumerate(("red", "green", "blue")):
        vertices[name] = model.colors[:, band]
    properties = [f"property {TYPES[VERTEX[name].str]} {name}" for name in VERTEX.names or ()]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *properties,
        "end_header",
    ]
    return "\n".join([*header, ""]).encode("ascii") + vertices.tobytes()
