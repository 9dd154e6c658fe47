"""extend_reconstruction: new images of a collection are registered in its existing model."""

import os
from pathlib import Path
from typing import Any

from tiepoint.collection.collection import Collection, as_collection
from tiepoint.collection.export.colmap_database import FOLDER, export_colmap
from tiepoint.collection.sfm.known_poses import model_in_database, poses_of, register_images
from tiepoint.collection.sfm.mapper import Attempt, MapperRun
from tiepoint.collection.sfm.mapping import share_cameras
from tiepoint.collection.sfm.matches_2d3d import check_keypoints
from tiepoint.collection.sfm.reconstruction import (
    SEED,
    Reconstruction,
    image_folder,
    read_model,
    replace_model,
)
from tiepoint.errors import InvalidInput

ATTEMPT = "existing model"


def extend_reconstruction(
    collection: Collection | str | os.PathLike[str],
    *,
    keep_poses: bool = True,
    threads: int | None = 1,
    seed: int = SEED,
) -> Reconstruction:
    """Register the images of a collection that its model does not have, and triangulate their points.

    The model keeps its world, and by default the poses of its images. It is replaced by the finished one only.

    Args:
        collection: Reconstructed collection from `open_collection`, or its output folder, whose new images are matched.
        keep_poses: Whether the registered images keep their poses exactly; otherwise bundle adjustment refines them.
        threads: Number of threads; None for all cores.
        seed: Random seed of RANSAC.

    Returns:
        Summary of the extended model, which lists the images that could not be registered.

    Raises:
        InvalidInput: If there is no model, it has other images or features than the collection, or a file cannot be
            written.
        MissingDependency: If pycolmap is not installed.

    Example:
        >>> tiepoint.reconstruct("out/").registered
        >>> tiepoint.match_collection("photos/", "out/")  # after new images were put into photos/
        >>> tiepoint.extend_reconstruction("out/").unregistered
    """
    opened = as_collection(collection)
    model = read_model(opened)
    _check_model(opened, model)
    images = [model.image(number) for number in model.reg_image_ids()]
    known = {image.name: model.camera(image.camera_id) for image in images}
    database = export_colmap(opened, known_cameras=share_cameras(opened, known))
    poses = poses_of(model, known)
    options = {"num_threads": -1 if threads is None else threads, "random_seed": seed}

    def run(output: Path) -> MapperRun:
        attempt = Attempt(name=ATTEMPT)
        (output / "0").mkdir()
        model_in_database(database, poses, points=model).write(str(output / "0"))
        models = register_images(database, image_folder(opened), output, options, keep_poses=keep_poses)
        return MapperRun(models=models, folder=output, attempts=(attempt,), best=attempt)

    return replace_model(opened, database, run)


def _check_model(collection: Collection, model: Any) -> None:
    names = {image.name for image in collection.images}
    for number in model.reg_image_ids():
        image = model.image(number)
        if image.name not in names:
            raise InvalidInput(
                f"the model has the image {image.name!r}, which the collection has not; restore it, or reconstruct again "
                f"into {collection.folder / FOLDER}"
            )
        check_keypoints(image, collection.features(image.name))
