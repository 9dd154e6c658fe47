"""COLMAP's database, written directly: keypoints keep float32 precision; descriptors, which COLMAP does not need, are omitted."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import inlier_matches, output_file
from tiepoint.collection.images import ImageRecord, camera_key
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_camera, colmap_keypoints, quiet_pycolmap, require_pycolmap
from tiepoint.image.exif import GPSPosition
from tiepoint.io.atomic import atomic_write

CameraSharing = Literal["shared", "each"]
"""Whether images of one folder with equal size and EXIF focal length share a camera, or each image has its own."""

FOLDER, DATABASE = "colmap", "database.db"
"""Path of the database in the collection's folder."""

SQLITE_SUFFIXES = ("-wal", "-shm", "-journal")
"""Suffixes of SQLite's auxiliary files, which it reads before the database itself."""

SEED = 0

VERTICAL_ERROR = 2.0
"""Error of a GPS altitude relative to that of the horizontal position, for which EXIF data has no field."""


def export_colmap(
    collection: Collection,
    database: str | os.PathLike[str] | None = None,
    *,
    cameras: CameraSharing = "shared",
    known_cameras: Mapping[str, Any] | None = None,
) -> Path:
    """Write a COLMAP database of cameras, images, keypoints, matches and two-view geometries.

    COLMAP estimates the two-view geometries from the inlier matches, or from all matches of pairs that are not verified.
    Image ids follow the natural sort order of the names, starting at 1. GPS positions with an altitude become pose priors
    (WGS 84), as COLMAP's own reader writes them, with a covariance where the EXIF data have the accuracy.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        database: Output file; an existing file is replaced. None: `colmap/database.db` in the collection's folder.
        cameras: "shared": images of one folder with equal size and EXIF focal length share a camera, which is right for
            one camera with one zoom setting and constrains the model much better; "each": one camera per image.
        known_cameras: Name of an image -> `pycolmap.Camera` that it has instead; images share it if the `camera_id` is
            the same.

    Returns:
        The output file.

    Raises:
        InvalidInput: If the file cannot be written, or no image has features.
        MissingDependency: If pycolmap is not installed.
    """
    require_pycolmap()
    check_sharing(cameras)
    warn_incomplete(collection)
    path = output_file(database, collection.folder / FOLDER / DATABASE)
    with _replace_database(path) as temporary, quiet_pycolmap(), _open_database(temporary) as file:
        ids = _write_images(file, collection, cameras, known_cameras or {})
        if not ids:
            raise InvalidInput(f"{collection.folder} has no image with features; run the collection first")
        _write_pairs(file, collection, ids)
    return path


def check_sharing(cameras: str) -> None:
    """Check that a value is a `CameraSharing`.

    Args:
        cameras: Value of the option `cameras`.

    Raises:
        InvalidInput: If it has another value.
    """
    if cameras not in get_args(CameraSharing):
        raise InvalidInput(f"cameras must be 'shared' or 'each', got {cameras!r}")


@contextmanager
def _replace_database(path: Path) -> Iterator[Path]:
    """Like `atomic_write`, and remove SQLite's auxiliary files, also those that a killed program has left."""
    with atomic_write(path) as temporary:
        try:
            yield temporary
            _remove_auxiliary_files(path)
        finally:
            _remove_auxiliary_files(temporary)


def _remove_auxiliary_files(database: Path) -> None:
    for suffix in SQLITE_SUFFIXES:
        database.with_name(database.name + suffix).unlink(missing_ok=True)


@contextmanager
def _open_database(path: Path) -> Iterator[Any]:
    """Open a new database; all writes are one transaction, for speed."""
    pycolmap = require_pycolmap()
    file = pycolmap.Database.open(str(path))
    try:
        with pycolmap.DatabaseTransaction(file):
            yield file
    finally:
        file.close()


def _write_images(
    file: Any, collection: Collection, cameras: CameraSharing, known: Mapping[str, Any]
) -> dict[str, int]:
    """Write cameras, images and keypoints; return the image id of each name."""
    camera_ids: dict[Any, int] = {}
    image_ids = {}
    for image in collection.images:
        features = collection.features(image.name)
        key = camera_key(image, features)
        camera = known.get(image.name)
        group = camera.camera_id if camera is not None else key if cameras == "shared" else image.name
        if group not in camera_ids:
            camera = colmap_camera(key.raster_size, key.focal_px) if camera is None else copy(camera)
            camera_ids[group] = _write_camera(file, camera)
        image_ids[image.name] = _write_image(file, image, camera_ids[group])
        file.write_keypoints(image_ids[image.name], colmap_keypoints(features))
    return image_ids


def _write_camera(file: Any, camera: Any) -> int:
    """Write a camera and the trivial rig that COLMAP requires, with the same id."""
    pycolmap = require_pycolmap()
    camera.camera_id = file.write_camera(camera)
    rig = pycolmap.Rig(rig_id=camera.camera_id)
    rig.add_ref_sensor(camera.sensor_id)
    file.write_rig(rig, use_rig_id=True)
    return camera.camera_id


def _write_image(file: Any, record: ImageRecord, camera_id: int) -> int:
    """Write an image and its frame, with the same id, and its GPS position as a pose prior."""
    pycolmap = require_pycolmap()
    image = pycolmap.Image(name=record.name, camera_id=camera_id)
    image.image_id = file.write_image(image)
    frame = pycolmap.Frame(frame_id=image.image_id, rig_id=camera_id)
    frame.add_data_id(image.data_id)
    file.write_frame(frame, use_frame_id=True)
    if record.position is not None and record.position.altitude_m is not None:
        file.write_pose_prior(_pose_prior(image, record.position))
    return image.image_id


def _pose_prior(image: Any, position: GPSPosition) -> Any:
    """Return the prior that COLMAP's own reader writes for a position with an altitude."""
    pycolmap = require_pycolmap()
    return pycolmap.PosePrior(
        corr_data_id=image.data_id,
        position=np.array(position[:3], np.float64),
        coordinate_system=pycolmap.PosePriorCoordinateSystem.WGS84,
        **_covariance(position.error_m),
    )


def _covariance(error_m: float | None) -> dict[str, Any]:
    """Return the covariance in m² (east, north, up) of a horizontal error; heights are less accurate."""
    if error_m is None:
        return {}
    return {"position_covariance": np.diag([error_m, error_m, VERTICAL_ERROR * error_m]) ** 2}


def _write_pairs(file: Any, collection: Collection, ids: dict[str, int]) -> None:
    pycolmap = require_pycolmap()
    cameras = {camera.camera_id: camera for camera in file.read_all_cameras()}
    camera_of = {image.image_id: cameras[image.camera_id] for image in file.read_all_images()}
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = SEED
    for name0, name1 in collection.pairs():
        pair = ids[name0], ids[name1]
        matches, _ = collection.matches(name0, name1)
        file.write_matches(*pair, matches.astype(np.uint32))
        points0, points1 = (file.read_keypoints(image)[:, :2].astype(np.float64) for image in pair)
        inliers = inlier_matches(collection, name0, name1).astype(np.uint32)
        geometry = pycolmap.estimate_two_view_geometry(
            camera_of[pair[0]], points0, camera_of[pair[1]], points1, inliers, options
        )
        file.write_two_view_geometry(*pair, geometry)
