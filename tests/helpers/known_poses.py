"""Files of the true poses of a synthetic scene, and GPS positions of its cameras."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from tests.helpers.synthetic_collections import FOCAL, SIZE, Scene

from tiepoint.collection.collection import Collection
from tiepoint.image.exif import GPSPosition

ORIGIN = (48.0, 2.0, 100.0)
METERS = 10.0
"""Of one unit of the scene."""


def write_transforms(path: Path, scene: Scene, names: Sequence[str], *, noise: float = 0.0) -> Path:
    """transforms.json with the true intrinsics, and poses that are a little off."""
    generator = np.random.default_rng(0)
    frames = []
    for name in names:
        pose = np.vstack([scene.cam_from_world[name], [0, 0, 0, 1]])
        world_from_cam = np.linalg.inv(pose) @ np.diag([1.0, -1.0, -1.0, 1.0])
        world_from_cam[:3, 3] += generator.normal(0, noise, 3)
        frames.append({"file_path": f"./images/{name}", "transform_matrix": world_from_cam.tolist()})
    content = {"w": SIZE[0], "h": SIZE[1], "fl_x": FOCAL, "fl_y": FOCAL, "frames": frames}
    path.write_text(json.dumps(content))
    return path


def write_images_txt(path: Path, scene: Scene, names: Sequence[str], *, cameras: bool = True) -> Path:
    """images.txt, and cameras.txt next to it."""
    lines = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME"]
    for number, name in enumerate(names, start=1):
        x, y, z, w = pycolmap.Rotation3d(scene.cam_from_world[name][:, :3]).quat
        values = " ".join(map(repr, map(float, (w, x, y, z, *scene.cam_from_world[name][:, 3]))))
        lines += [f"{number} {values} 1 {name}", ""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if cameras:
        width, height = SIZE
        text = f"1 SIMPLE_PINHOLE {width} {height} {FOCAL} {width / 2} {height / 2}\n"
        path.with_name("cameras.txt").write_text(text)
    return path


def locate(collection: Collection, scene: Scene, *, error_m: float | None = None) -> Collection:
    """Give every image the GPS position of its camera: x of the scene is east, z north, -y up, in 10 m."""
    earth = pycolmap.GPSTransform()
    images = []
    for image in collection.state.images:
        x, y, z = METERS * scene.center(image.name)
        latitude, longitude, altitude = earth.enu_to_ellipsoid(np.array([[x, z, -y]]), *ORIGIN)[0].tolist()
        images.append(replace(image, position=GPSPosition(latitude, longitude, altitude, error_m)))
    return replace(collection, state=replace(collection.state, images=tuple(images)))


def enu(scene: Scene, name: str) -> np.ndarray:
    """Position of a camera in m to the east, north and up of the scene's origin."""
    x, y, z = METERS * scene.center(name)
    return np.array([x, z, -y])
