"""Points of a sparse model projected by the rules of a file format."""

from dataclasses import replace

import numpy as np

from tiepoint.collection.export.sparse_model import SparseModel

MAX_ERROR_PX = 0.1  # positions of synthetic observations are exact, Bundler's have four digits

LENS = {"fx": 700.0, "fy": 690.0, "cx": 331.0, "cy": 228.0, "distortion": (0.05, -0.02, 0.003, -0.004)}
"""Two focal lengths, a principal point away from the middle, radial and tangential distortion."""


def distort(
    normalized: np.ndarray, k1: float, k2: float = 0.0, p1: float = 0.0, p2: float = 0.0
) -> np.ndarray:
    """Distortion of OpenCV."""
    x, y = normalized[..., 0], normalized[..., 1]
    squared = (normalized**2).sum(axis=-1, keepdims=True)
    tangential = np.stack(
        [
            2 * p1 * x * y + p2 * (squared[..., 0] + 2 * x**2),
            p1 * (squared[..., 0] + 2 * y**2) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
    return normalized * (1 + k1 * squared + k2 * squared**2) + tangential


def observations(model: SparseModel, image: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that an image sees, and where."""
    seen = [
        (point, key) for point, track in enumerate(model.tracks) for i, key in track.tolist() if i == image
    ]
    points, keys = map(list, zip(*seen, strict=True))
    return model.points[points], model.images[image].points2d[keys]


def use_lens(model: SparseModel, **lens: object) -> None:
    """Give all cameras of a model another lens, and move the observations accordingly."""
    object.__setattr__(model, "cameras", tuple(replace(camera, **lens) for camera in model.cameras))
    for index, image in enumerate(model.images):
        camera = model.cameras[image.camera]
        moved = image.points2d.copy()
        for point, track in enumerate(model.tracks):
            for keypoint in track[track[:, 0] == index][:, 1]:
                x, y, z = image.cam_from_world[:, :3] @ model.points[point] + image.cam_from_world[:, 3]
                bent = distort(np.array([x / z, y / z]), *camera.distortion)
                moved[keypoint] = bent * (camera.fx, camera.fy) + (camera.cx, camera.cy)
        object.__setattr__(image, "points2d", moved)
