"""Pairs of the images of a COLMAP model that observe the most common 3D points."""

from collections import Counter
from pathlib import Path

from tiepoint.compat.hloc.files import write_pairs
from tiepoint.geometry.colmap import read_reconstruction


def main(model: Path, output: Path, num_matched: int) -> None:
    """Write the pairs of each image with the images that observe the most common points.

    Args:
        model: Folder of a COLMAP model.
        output: Output file, two names per line.
        num_matched: Maximum number of neighbors per image.

    Raises:
        InvalidInput: If the model cannot be read, or the file cannot be written.
        MissingDependency: If pycolmap is not installed.
    """
    reconstruction = read_reconstruction(model)
    observers = {
        point_id: {element.image_id for element in point.track.elements}
        for point_id, point in reconstruction.points3D.items()
    }
    pairs = []
    for image_id, image in sorted(reconstruction.images.items()):
        points = {point.point3D_id for point in image.points2D if point.has_point3D()}
        common = Counter(other for point in points for other in observers[point] if other != image_id)
        ranked = sorted(common, key=lambda other: (-common[other], other))[:num_matched]
        pairs += [(image.name, reconstruction.images[other].name) for other in ranked]
    write_pairs(Path(output), pairs)
