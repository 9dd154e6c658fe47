"""Known poses: transforms.json of nerfstudio and instant-ngp, images.txt or a whole model of COLMAP.

    transforms.json   camera-to-world, x to the right, y up, z backwards (OpenGL); intrinsics at the top or in the frames
    images.txt        COLMAP's text format; intrinsics from cameras.txt next to it, if it is there
    FOLDER            COLMAP model, binary or text

Pixels have (0, 0) at the corner of the top-left pixel of the stored raster in all of them.

Source: docs.nerf.studio, "Data conventions"; colmap.github.io/format.html.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import cam_from_world, read_reconstruction, require_pycolmap

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
MAX_ROTATION_ERROR = 1e-3  # of R R^T from the identity, per entry; text files have few digits
LENS_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
"""Values of `camera_model` without fisheye lenses."""
DISTORTION = ("k1", "k2", "p1", "p2")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownPoses:
    """Poses of images, and their cameras where they are known.

    Attributes:
        cam_from_world: Name of an image -> pose [R | t] with X_cam = R X_world + t.
        cameras: Name of an image -> `pycolmap.Camera`; images that share a camera have the same `camera_id`.
    """

    cam_from_world: dict[str, Float[np.ndarray, "3 4"]]
    cameras: dict[str, Any] = field(default_factory=dict)


def read_poses(path: str | os.PathLike[str]) -> KnownPoses:
    """Read a file of poses.

    Args:
        path: `transforms.json`, `images.txt`, or the folder of a COLMAP model.

    Raises:
        InvalidInput: If the file cannot be read, has no pose, or an invalid one.
        MissingDependency: If pycolmap is not installed.
    """
    file = Path(path)
    try:
        if file.is_dir():
            poses = _read_model(file)
        elif file.suffix.lower() == ".json":
            poses = _read_transforms(json.loads(file.read_text(encoding="utf-8")))
        else:
            poses = _read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read the poses in {str(path)!r}: {error}") from error
    except (ValueError, TypeError, KeyError, IndexError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"poses {str(path)!r}: expected transforms.json, COLMAP's images.txt or a folder of a COLMAP model, got "
            f"{type(error).__name__}: {error}"
        ) from error
    if not poses.cam_from_world:
        raise InvalidInput(f"{str(path)!r} has no poses")
    return poses


def match_names(poses: KnownPoses, names: Iterable[str], path: str | os.PathLike[str]) -> KnownPoses:
    """Return the poses by the names of a collection.

    A name in the file may have other folders in front, or no suffix: "./images/left/1" is the image "left/1.jpg".

    Args:
        poses: Poses by the names of the file.
        names: Names of the images of the collection.
        path: Path of the file, for the message.

    Raises:
        InvalidInput: If two names of the file are one image, or no name is an image.
    """
    by_key = {key: name for name in names for key in (name, str(PurePosixPath(name).with_suffix("")))}
    found: dict[str, str] = {}
    for given in poses.cam_from_world:
        name = _find(given, by_key)
        if name is None:
            continue
        if name in found:
            raise InvalidInput(
                f"poses {str(path)!r}: {found[name]!r} and {given!r} are both the image {name!r}; remove one"
            )
        found[name] = given
    if not found:
        example = next(iter(poses.cam_from_world))
        raise InvalidInput(f"poses {str(path)!r}: none is of an image of the collection, such as {example!r}")
    return KnownPoses(
        cam_from_world={name: poses.cam_from_world[given] for name, given in found.items()},
        cameras={name: poses.cameras[given] for name, given in found.items() if given in poses.cameras},
    )


def _find(given: str, by_key: Mapping[str, str]) -> str | None:
    parts = PurePosixPath(given.replace("\\", "/")).parts
    candidates = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((by_key[each] for each in candidates if each in by_key), None)


def _read_transforms(content: dict[str, Any]) -> KnownPoses:
    poses, cameras = {}, {}
    numbers: dict[tuple[Any, ...], int] = {}  # intrinsics -> number of the camera
    for frame in content["frames"]:
        name = frame["file_path"]
        world_from_cam = np.array(frame["transform_matrix"], np.float64).reshape(-1, 4)[:3]
        whole = np.vstack([world_from_cam, [0, 0, 0, 1]]) @ OPENCV_FROM_OPENGL
        R, center = _rotation(whole[:3, :3], name), whole[:3, 3]
        poses[name] = np.column_stack([R.T, -R.T @ center])
        intrinsics = _transforms_camera({**content, **frame})
        if intrinsics is not None:
            number = numbers.setdefault(intrinsics, len(numbers) + 1)
            cameras[name] = make_camera("OPENCV", *intrinsics, camera_id=number)
    return KnownPoses(cam_from_world=poses, cameras=cameras)


def _transforms_camera(values: Mapping[str, Any]) -> tuple[int, int, tuple[float, ...]] | None:
    """Return width, height and parameters of the model OPENCV; None if the file has no intrinsics."""
    model = values.get("camera_model", "OPENCV")
    if model not in LENS_MODELS:
        raise InvalidInput(f"unsupported camera model {model!r}; expected one of {', '.join(LENS_MODELS)}")
    if "w" not in values or not ("fl_x" in values or "camera_angle_x" in values):
        return None
    width, height = int(values["w"]), int(values["h"])
    if "fl_x" in values:
        fx = float(values["fl_x"])
    else:
        fx = 0.5 * width / math.tan(0.5 * float(values["camera_angle_x"]))
    center = float(values.get("cx", width / 2)), float(values.get("cy", height / 2))
    lens = (float(values.get(name, 0.0)) for name in DISTORTION)
    return width, height, (fx, float(values.get("fl_y", fx)), *center, *lens)


def _read_model(folder: Path) -> KnownPoses:
    model = read_reconstruction(folder)
    images = [model.image(number) for number in model.reg_image_ids()]
    return KnownPoses(
        cam_from_world={image.name: cam_from_world(image) for image in images},
        cameras={image.name: model.camera(image.camera_id) for image in images},
    )


def _read_text(path: Path) -> KnownPoses:
    """Read images.txt: two lines per image, the second one with its observations; it may be empty."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    cameras_file = path.with_name("cameras.txt")
    known = _read_cameras(cameras_file) if cameras_file.is_file() else {}
    poses, cameras = {}, {}
    for line in lines[::2]:
        _, *numbers, camera_id, name = line.split(maxsplit=9)
        w, x, y, z, *translation = map(float, numbers)
        if not math.isclose(math.hypot(w, x, y, z), 1, abs_tol=MAX_ROTATION_ERROR):
            raise InvalidInput(f"pose of {name!r}: the quaternion {w:g} {x:g} {y:g} {z:g} has no unit length")
        rotation = require_pycolmap().Rotation3d(np.array([x, y, z, w]) / math.hypot(w, x, y, z))
        poses[name] = np.column_stack([rotation.matrix(), translation])
        if int(camera_id) in known:
            cameras[name] = known[int(camera_id)]
    return KnownPoses(cam_from_world=poses, cameras=cameras)


def _read_cameras(path: Path) -> dict[int, Any]:
    cameras = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            number, model, width, height, *params = line.split()
            values = tuple(map(float, params))
            cameras[int(number)] = make_camera(model, int(width), int(height), values, camera_id=int(number))
    return cameras


def make_camera(model: str, width: int, height: int, params: tuple[float, ...], *, camera_id: int) -> Any:
    """Return a `pycolmap.Camera` whose focal length is known.

    Args:
        model: COLMAP camera model.
        width: Width of the stored raster in px.
        height: Height of the stored raster in px.
        params: Parameters in COLMAP's order and convention.
        camera_id: Number of the camera.

    Raises:
        InvalidInput: If the model is unknown, or the parameters do not fit it.
    """
    try:
        camera = require_pycolmap().Camera(
            camera_id=camera_id, model=model, width=width, height=height, params=list(params)
        )
        is_valid = camera.verify_params() and camera.mean_focal_length() > 0 and np.isfinite(params).all()
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(f"invalid camera {model}: {' '.join(str(error).split())}") from error
    if not is_valid:
        raise InvalidInput(f"invalid camera {model}, {width} x {height} px: got the parameters {params}")
    camera.has_prior_focal_length = True
    return camera


def _rotation(matrix: Float[np.ndarray, "3 3"], name: str) -> Float[np.ndarray, "3 3"]:
    """Return the nearest rotation to a matrix that is one up to rounding."""
    is_orthonormal = np.abs(matrix @ matrix.T - np.eye(3)).max() < MAX_ROTATION_ERROR
    if not (is_orthonormal and np.linalg.det(matrix) > 0):
        raise InvalidInput(
            f"pose of {name!r}: the rotation is invalid, its columns are no right-handed unit vectors"
        )
    U, _, Vt = np.linalg.svd(matrix)
    return U @ Vt
