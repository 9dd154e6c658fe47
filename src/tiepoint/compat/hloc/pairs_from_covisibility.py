"""Pairs of the images of a COLMAP model that observe the most common 3D points."""

from pathlib import Path

from tiepoint.collection.pairs.covisibility import covisible_images
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
    names = {image_id: image.name for image_id, image in reconstruction.images.items()}
    pairs = [
        (names[image_id], names[other])
        for image_id, others in covisible_images(reconstruction, num_matched).items()
        for other in others
    ]
    write_pairs(Path(output), pairs)
