"""Cameras and images of COLMAP's models, text and binary.

Both forms are read here and not with pycolmap, which takes minutes over a damaged file, and can't tell the line.

Source: COLMAP's documentation, "Output Format"; src/colmap/scene/reconstruction_io.cc.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.builder import Collected
from tiepoint.evaluation.datasets.parsing import numbers, read_text
from tiepoint.types import CAMERA_MODELS, Camera

MODEL_IDS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
}
"""Number of a model in binary files -> its name, and number of parameters."""

POINT2D = np.dtype([("x", "<f8"), ("y", "<f8"), ("point3D_id", "<i8")])
NO_POINT = -1


class View(NamedTuple):
    """An image of a model, as COLMAP has it: of the file's raster, before EXIF orientation."""

    name: str
    camera: Camera
    cam_from_world: np.ndarray
    points: frozenset[int]


def read_model(model: Path, found: Collected) -> list[View]:
    """The images of a model with their cameras, by name; what can't be read becomes a problem.

    Raises:
        InvalidInput: a binary file is cut off or isn't COLMAP's.
    """
    if (model / "images.txt").is_file():
        views = _read_text_model(model, found)
    else:
        views = _read_binary_model(model, found)
    return sorted(views, key=lambda view: view.name)


def _read_text_model(model: Path, found: Collected) -> list[View]:
    cameras: dict[int, Camera] = {}
    file = model / "cameras.txt"
    for number, line in _lines(file):
        with found.trying(file, number):
            words = line.split()
            head = numbers([*words[:1], *words[2:4]], 3, "CAMERA_ID, WIDTH and HEIGHT")
            size = (int(head[1]), int(head[2]))
            cameras[int(head[0])] = _camera(words[1], size, numbers(words[4:], len(words) - 4, "PARAMS"))
    return _read_text_views(model / "images.txt", cameras, found)


def _read_text_views(file: Path, cameras: dict[int, Camera], found: Collected) -> list[View]:
    """Two lines an image: its pose, and its points."""
    views, lines = [], _lines(file, blank=True)
    for (number, line), (_, points) in zip(lines[::2], [*lines[1::2], (0, "")], strict=False):
        if line.strip():  # else blank lines at the end of the file
            with found.trying(file, number):
                views.append(_parse_view(line, points, cameras))
    return views


def _lines(file: Path, *, blank: bool = False) -> list[tuple[int, str]]:
    """Numbered lines without comments; of images.txt, also blank ones, since an image may have no points."""
    rows = list(enumerate(read_text(file).splitlines(), start=1))
    return [(number, line) for number, line in rows if not line.startswith("#") and (blank or line.strip())]


def _parse_view(line: str, points: str, cameras: dict[int, Camera]) -> View:
    words = line.split(maxsplit=9)
    if len(words) != 10:
        raise InvalidInput(
            f"expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, but {len(words)} words came"
        )
    values = numbers(words[:9], 9, "IMAGE_ID to CAMERA_ID")
    ids = points.split()[2::3]
    points3d = numbers(ids, len(ids), "POINT3D_IDs").astype(np.int64)
    return _view(words[9].strip(), values[1:8], int(values[8]), points3d, cameras)


def _read_binary_model(model: Path, found: Collected) -> list[View]:
    file = _Binary(model / "cameras.bin")
    cameras = {}
    for _ in range(*file.read("<Q")):
        camera_id, model_id, width, height = file.read("<iiQQ")
        if model_id not in MODEL_IDS:
            raise InvalidInput(f"{file.path} has a camera model of number {model_id}, which isn't known here")
        name, count = MODEL_IDS[model_id]
        params = np.array(file.read(f"<{count}d"))
        with found.trying(f"{file.path}, camera {camera_id}"):
            cameras[camera_id] = _camera(name, (width, height), params)
    return _read_binary_views(_Binary(model / "images.bin"), cameras, found)


def _read_binary_views(file: "_Binary", cameras: dict[int, Camera], found: Collected) -> list[View]:
    views = []
    for _ in range(*file.read("<Q")):
        _, *pose, camera_id = file.read("<i7di")
        name = file.read_name()
        points = file.read_array(POINT2D, *file.read("<Q"))["point3D_id"]
        with found.trying(f"{file.path}, {name}"):
            views.append(_view(name, pose, camera_id, points, cameras))
    return views


class _Binary:
    """Numbers of a binary file, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path, self._data, self._offset = path, path.read_bytes(), 0

    def read(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def read_array(self, dtype: np.dtype, count: int) -> np.ndarray:
        return np.frombuffer(self._take(count * dtype.itemsize), dtype)

    def read_name(self) -> str:
        end = self._data.find(b"\0", self._offset)
        name = self._take(end + 1 - self._offset if end >= 0 else len(self._data))
        return name[:-1].decode(errors="replace")

    def _take(self, size: int) -> bytes:
        data = self._data[self._offset : self._offset + size]
        if len(data) < size:
            raise InvalidInput(f"{self.path} ends too early; it is damaged, copy it again")
        self._offset += size
        return data


def _view(name: str, pose: Any, camera_id: int, points: np.ndarray, cameras: dict[int, Camera]) -> View:
    """`pose` is QW QX QY QZ TX TY TZ, cam_from_world."""
    if camera_id not in cameras:
        raise InvalidInput(f"camera {camera_id} of {name} is missing, or could not be read")
    values = np.asarray(pose, dtype=np.float64)
    seen = frozenset(points.tolist()) - {NO_POINT}
    return View(name, cameras[camera_id], np.column_stack([_rotation(values[:4]), values[4:]]), seen)


def _camera(model: str, size: tuple[int, int], params: Float[np.ndarray, "p"]) -> Camera:
    """From COLMAP's convention, in which the corner of the image is (0, 0)."""
    names = CAMERA_MODELS.get(model, ())
    shift = [0.5 if name in ("cx", "cy") else 0.0 for name in names] or [0.0] * len(params)
    if len(shift) != len(params):
        raise InvalidInput(f"{model} has parameters ({', '.join(names)}), but {len(params)} came")
    return Camera(model=model, image_size=size, params=tuple((np.asarray(params) - shift).tolist()))


def _rotation(quaternion: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3 3"]:
    """The matrix of the quaternion (w, x, y, z)."""
    length = np.linalg.norm(quaternion)
    if length == 0:
        raise InvalidInput("the quaternion QW QX QY QZ is zero")
    w, x, y, z = quaternion / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross
