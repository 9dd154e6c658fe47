"""Check that the binary files of a COLMAP model are complete.

pycolmap reads past the end of a truncated file without an error: cameras get undefined parameters, and a truncated
count makes it loop for minutes.

Source: COLMAP, src/colmap/scene/reconstruction_io_binary.cc.
"""

import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from tiepoint.errors import InvalidInput


def check_binary_model(model: Path, pycolmap: ModuleType) -> None:
    """Check that no binary file of a model is truncated; files that do not exist are skipped.

    Raises:
        InvalidInput: If a file ends before its last record, or a camera model is unknown.
    """
    records = {"cameras": partial(_skip_camera, pycolmap), **RECORDS}
    for name, skip_record in records.items():
        if (path := model / f"{name}.bin").is_file():
            _check(path, skip_record)


class _Cursor:
    """Position in a binary file."""

    def __init__(self, path: Path) -> None:
        self.path, self._data, self._offset = path, path.read_bytes(), 0

    def read(self, layout: str) -> tuple[Any, ...]:
        start = self._offset
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self._data, start)

    def skip(self, size: int) -> None:
        self._offset += size
        if self._offset > len(self._data):
            raise InvalidInput(f"cannot read {self.path}: the file is truncated; copy it again")

    def skip_text(self) -> None:
        end = self._data.find(b"\0", self._offset)
        self.skip(end + 1 - self._offset if end >= 0 else len(self._data) + 1)


def _check(path: Path, skip_record: Callable[[_Cursor], None]) -> None:
    file = _Cursor(path)
    for _ in range(*file.read("<Q")):
        skip_record(file)


def _skip_camera(pycolmap: ModuleType, file: _Cursor) -> None:
    _, model_id = file.read("<Ii")
    try:
        num_params = _num_params(pycolmap, model_id)
    except ValueError as error:
        raise InvalidInput(f"cannot read {file.path}: unknown camera model {model_id}") from error
    file.skip(16 + 8 * num_params)


@cache
def _num_params(pycolmap: ModuleType, model_id: int) -> int:
    camera = pycolmap.Camera.create_from_model_id(0, pycolmap.CameraModelId(model_id), 1.0, 1, 1)
    return len(camera.params)


def _skip_image(file: _Cursor) -> None:
    file.skip(64)  # id, quaternion, translation, camera id
    file.skip_text()
    file.skip(24 * file.read("<Q")[0])


def _skip_point(file: _Cursor) -> None:
    file.skip(43)  # id, position, color, error
    file.skip(8 * file.read("<Q")[0])


def _skip_rig(file: _Cursor) -> None:
    _, num_sensors = file.read("<II")
    if num_sensors:
        file.skip(8)  # reference sensor
    for _ in range(num_sensors - 1):
        *_, has_pose = file.read("<iI?")
        file.skip(56 if has_pose else 0)


def _skip_frame(file: _Cursor) -> None:
    file.skip(64)  # frame id, rig id, quaternion, translation
    file.skip(16 * file.read("<I")[0])


RECORDS: dict[str, Callable[[_Cursor], None]] = {
    "rigs": _skip_rig,
    "frames": _skip_frame,
    "images": _skip_image,
    "points3D": _skip_point,
}
# Name of a file of a model, without its suffix -> function that skips one record
