"""COLMAP's database, written directly: no text files, no rounding, no descriptors that COLMAP would not know."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.targets import inlier_matches, output_file
from tiepoint.collection.images import camera_key
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import (
    colmap_camera,
    colmap_keypoints,
    quiet_pycolmap,
    require_pycolmap,
)
from tiepoint.io.atomic import atomic_write

CameraSharing = Literal["shared", "each"]
"""Whether photographs of one folder with the same size and EXIF focal length have one camera, or each its own."""

FOLDER, DATABASE = "colmap", "database.db"
"""Where in a collection's folder the database is."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the name of a database for the files beside it, which it reads before the database itself."""

SEED = 0


def export_colmap(
    collection: Collection,
    database: str | os.PathLike[str] | None = None,
    *,
    cameras: CameraSharing = "shared",
) -> Path:
    """Write a COLMAP database of cameras, images, keypoints, matches and two-view geometries.

    Two-view geometries are COLMAP's own estimates over the matches that were verified, or over all matches of pairs
    that weren't. Images have the numbers of their order, from 1.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        database: where to; a file there is replaced. None: `colmap/database.db` in the collection's folder.
        cameras: "shared": photographs of one folder with the same size and EXIF focal length have one camera, which
            is right for one camera at one zoom, and makes the model much stiffer; "each": every photograph its own.

    Returns:
        The path.

    Raises:
        InvalidInput: it can't be written, or there is no photograph with features.
        MissingDependency: pycolmap isn't installed.
    """
    require_pycolmap()
    check_sharing(cameras)
    warn_incomplete(collection)
    path = output_file(database, collection.folder / FOLDER / DATABASE)
    with _replacing_database(path) as temporary, quiet_pycolmap(), _opened(temporary) as file:
        ids = _write_images(file, collection, cameras)
        if not ids:
            raise InvalidInput(
                f"{collection.folder} has no photograph with features; run the collection first"
            )
        _write_pairs(file, collection, ids)
    return path


def check_sharing(cameras: str) -> None:
    """Raise InvalidInput for anything that isn't a `CameraSharing`."""
    if cameras not in get_args(CameraSharing):
        raise InvalidInput(f"cameras must be 'shared' or 'each', but is {cameras!r}")


@contextmanager
def _replacing_database(path: Path) -> Iterator[Path]:
    """As `atomic_write`, also of what a program that was killed left beside the former database."""
    with atomic_write(path) as temporary:
        try:
            yield temporary
            _remove_companions(path)
        finally:
            _remove_companions(temporary)


def _remove_companions(database: Path) -> None:
    for ending in COMPANIONS:
        database.with_name(database.name + ending).unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A new database; all that is written is one transaction, which is what makes it quick."""
    pycolmap = require_pycolmap()
    file = pycolmap.Database.open(str(path))
    try:
        with pycolmap.DatabaseTransaction(file):
            yield file
    finally:
        file.close()


def _write_images(file: Any, collection: Collection, cameras: CameraSharing) -> dict[str, int]:
    """Cameras, images and keypoints; name -> id."""
    known: dict[Any, int] = {}  # who shares a camera -> its id
    ids = {}
    for photograph in collection.photographs:
        features = collection.features(photograph.name)
        found = camera_key(photograph, features)
        shared = found if cameras == "shared" else photograph.name
        if shared not in known:
            known[shared] = _write_camera(file, colmap_camera(found.raster_size, found.focal_px))
        ids[photograph.name] = _write_image(file, photograph.name, known[shared])
        file.write_keypoints(ids[photograph.name], colmap_keypoints(features))
    return ids


def _write_camera(file: Any, camera: Any) -> int:
    """COLMAP wants a rig around every camera; a trivial one has the camera's number."""
    pycolmap = require_pycolmap()
    camera.camera_id = file.write_camera(camera)
    rig = pycolmap.Rig(rig_id=camera.camera_id)
    rig.add_ref_sensor(camera.sensor_id)
    file.write_rig(rig, use_rig_id=True)
    return camera.camera_id


def _write_image(file: Any, name: str, camera_id: int) -> int:
    """An image, and the frame around it that has its number."""
    pycolmap = require_pycolmap()
    image = pycolmap.Image(name=name, camera_id=camera_id)
    image.image_id = file.write_image(image)
    frame = pycolmap.Frame(frame_id=image.image_id, rig_id=camera_id)
    frame.add_data_id(image.data_id)
    file.write_frame(frame, use_frame_id=True)
    return image.image_id


def _write_pairs(file: Any, collection: Collection, ids: dict[str, int]) -> None:
    pycolmap = require_pycolmap()
    cameras = {camera.camera_id: camera for camera in file.read_all_cameras()}
    views = {image.image_id: cameras[image.camera_id] for image in file.read_all_images()}
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = SEED
    for name0, name1 in collection.pairs():
        pair = ids[name0], ids[name1]
        matches, _ = collection.matches(name0, name1)
        file.write_matches(*pair, matches.astype(np.uint32))
        points = [file.read_keypoints(image)[:, :2].astype(np.float64) for image in pair]
        inliers = inlier_matches(collection, name0, name1).astype(np.uint32)
        geometry = pycolmap.estimate_two_view_geometry(
            views[pair[0]], points[0], views[pair[1]], points[1], inliers, options
        )
        file.write_two_view_geometry(*pair, geometry)
