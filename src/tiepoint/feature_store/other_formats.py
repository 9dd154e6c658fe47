"""Features in the files of other programs: hloc's HDF5, COLMAP's database, NPZ."""

# h5py has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import did_you_mean, unknown_name
from tiepoint.io.optional import import_optional
from tiepoint.types import Features
from tiepoint.types.feature_arrays import COLMAP_CORNER

FeatureFormat: TypeAlias = Literal["hloc", "colmap", "npz"]
SUFFIXES: dict[str, FeatureFormat] = {".h5": "hloc", ".hdf5": "hloc", ".db": "colmap", ".npz": "npz"}

FIELDS = ("keypoints", "descriptors", "image_size", "scores", "scales", "orientations", "covariances")
"""Arrays of an .npz file, with the names of `Features`; the first three are required."""


FILES = "hloc's HDF5 groups, COLMAP's database, or .npz files"

UNREADABLE = (
    *(OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, NotImplementedError),
    *(sqlite3.Error, zipfile.BadZipFile, zlib.error),
)
"""Errors of the readers for files that are damaged or of another format."""


def read_features(
    path: str | os.PathLike[str],
    image: str | None = None,
    format: FeatureFormat | None = None,  # noqa: A002 - the word of NumPy, pandas and hloc
    *,
    kind: str = "",
) -> Features:
    """Read the features of an image from a file of another program.

    hloc stores pixel centers at integers like tiepoint; COLMAP's coordinates are larger by 0.5 px, which is subtracted.
    COLMAP's descriptors are RootSIFT in 8 bits: they are scaled to unit length. Its scales and orientations are computed
    from the affine shape of a keypoint.

    Args:
        path: hloc's features.h5, COLMAP's database.db, an .npz file, or a folder of .npz files named like the images.
        image: Name of the image in the file or folder; None for a single .npz file.
        format: "hloc", "colmap" or "npz"; None decides by the suffix.
        kind: Name of the descriptor; features of different kinds are never matched.

    Raises:
        InvalidInput: If the file cannot be read, does not contain the image, or has no usable features of it.
        MissingDependency: If h5py is not installed (hloc).
    """
    path = Path(path)
    chosen = format or ("npz" if path.is_dir() else SUFFIXES.get(path.suffix.lower()))
    if chosen is None or chosen not in get_args(FeatureFormat):
        raise InvalidInput(unknown_name("format", format or path.suffix, get_args(FeatureFormat)))
    if not path.exists():
        raise InvalidInput(f"{path} not found; expected a file of features ({', '.join(SUFFIXES)})")
    readers: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
        "hloc": _read_hloc,
        "colmap": _read_colmap,
        "npz": _read_npz,
    }
    try:
        values = readers[chosen](path, image)
    except UNREADABLE as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"cannot read features from {path}: {error}; expected format {chosen}") from error
    return Features.from_arrays(**{"kind": kind, "source": image, **values})


def list_images(path: str | os.PathLike[str]) -> list[str]:
    """List the images whose features a file of hloc, COLMAP's database or a folder of .npz files contains, sorted.

    Args:
        path: hloc's HDF5 file, COLMAP's database.db, or a folder.

    Raises:
        InvalidInput: If there are none, or the file cannot be read.
        MissingDependency: If h5py is not installed (hloc).
    """
    path = Path(path)
    try:
        names = _names_of(path)
    except UNREADABLE as error:
        raise InvalidInput(f"cannot list the images of {path}: {error}; expected {FILES}") from error
    if not names:
        raise InvalidInput(f"{path} contains no features; expected {FILES}")
    return sorted(names)


def _names_of(path: Path) -> list[str]:
    if path.is_dir():
        return [file.relative_to(path).as_posix()[: -len(".npz")] for file in path.rglob("*.npz")]
    if SUFFIXES.get(path.suffix.lower()) == "colmap":
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return [
                name
                for (name,) in database.execute("SELECT name FROM images JOIN keypoints USING (image_id)")
            ]
    found: list[str] = []
    with _h5py().File(path, "r") as file:
        file.visit(
            lambda name: found.append(name.rpartition("/")[0]) if name.endswith("/keypoints") else None
        )
    return found


def _h5py() -> Any:
    return import_optional("h5py", purpose="reading hloc's features", install="tiepoint[collection]")


def _read_hloc(path: Path, image: str | None) -> dict[str, Any]:
    h5py = _h5py()
    with h5py.File(path, "r") as file:
        if image is None or image not in file:
            raise InvalidInput(f"{path} contains no image {image!r}{did_you_mean(image, file)}")
        arrays = {
            name: np.asarray(value) for name, value in file[image].items() if name != "global_descriptor"
        }
    missing = {"keypoints", "descriptors", "image_size"} - arrays.keys()
    if missing:
        raise InvalidInput(
            f"{path}, {image}: no {', '.join(sorted(missing))}; extract the features again with hloc"
        )
    optional = {
        ours: arrays[theirs]
        for ours, theirs in (("scores", "scores"), ("scales", "scales"), ("orientations", "oris"))
        if theirs in arrays
    }
    return {
        "keypoints": arrays["keypoints"][:, :2],
        "descriptors": arrays["descriptors"].T,
        "image_size": arrays["image_size"],
        **optional,
    }


def _read_colmap(path: Path, image: str | None) -> dict[str, Any]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        row = database.execute(
            "SELECT image_id, width, height FROM images JOIN cameras USING (camera_id) WHERE name = ?",
            (image,),
        ).fetchone()
        if row is None:
            names = [name for (name,) in database.execute("SELECT name FROM images")]
            raise InvalidInput(f"{path} contains no image {image!r}{did_you_mean(image, names)}")
        image_id, width, height = row
        keypoints = _blob(database, "keypoints", image_id, np.float32)
        descriptors = _blob(database, "descriptors", image_id, np.uint8)
    values: dict[str, Any] = {
        "keypoints": keypoints[:, :2] - COLMAP_CORNER,
        "descriptors": descriptors.astype(np.float32),
        "image_size": (width, height),
        "normalize": "l2",
    }
    return values | _frames(keypoints[:, 2:])


def _blob(database: sqlite3.Connection, table: str, image_id: int, dtype: type) -> np.ndarray:
    query = f"SELECT rows, cols, data FROM {table} WHERE image_id = ?"
    row = database.execute(query, (image_id,)).fetchone()
    if row is None or (row[2] is None and row[0]):
        raise InvalidInput(
            f"the database has no {table} of image {image_id}; extract features with COLMAP first"
        )
    return np.frombuffer(row[2] or b"", dtype).reshape(row[0], row[1])


def _frames(columns: np.ndarray) -> dict[str, np.ndarray]:
    """Scales and orientations: stored, or of affine shapes a11, a12, a21, a22 as in COLMAP's `FeatureKeypoint`."""
    if columns.shape[1] == 2:
        return {"scales": columns[:, 0], "orientations": columns[:, 1]}
    if columns.shape[1] != 4:
        return {}
    a11, a12, a21, a22 = columns.T
    scales = (np.hypot(a11, a21) + np.hypot(a12, a22)) / 2
    return {"scales": scales, "orientations": np.arctan2(a21, a11)}


def _read_npz(path: Path, image: str | None) -> dict[str, Any]:
    file = path / f"{image}.npz" if path.is_dir() else path
    with (
        file.open("rb") as opened,
        np.load(opened, allow_pickle=False) as arrays,
    ):  # NumPy leaves damaged files open
        missing = [name for name in FIELDS[:3] if name not in arrays]
        if missing:
            raise InvalidInput(
                f"{file}: no {', '.join(missing)}; expected the arrays {', '.join(FIELDS)} (the last {len(FIELDS) - 3} are optional)"
            )
        return {name: arrays[name] for name in FIELDS if name in arrays}
