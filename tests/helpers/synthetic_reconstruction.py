"""A synthetic COLMAP reconstruction whose images show a white dot at each observation."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tiepoint.geometry.colmap import quiet_pycolmap
from tiepoint.training.data.colmap_images import (
    ColmapConfig,
)

SETTINGS = ColmapConfig(resize=640, max_keypoints=300, min_shared_points=20)
SIDEWAYS = 6
"""EXIF orientation of one image: COLMAP uses the raster of the file, tiepoint the upright image."""


def random_model(seed: int = 1, frames: int = 4) -> Any:
    import pycolmap

    pycolmap.set_random_seed(seed)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=1,
        num_frames_per_rig=frames,
        num_points3D=120,
        camera_width=640,
        camera_height=480,
        camera_params=[700.0, 320.0, 240.0, 0.05],
        num_points2D_without_point3D=0,
    )
    with quiet_pycolmap():
        return pycolmap.synthesize_dataset(options)


def write_dots(path: Path, image: Any, hidden: set[int], orientation: int) -> None:
    """Draw a white pixel at each observation, in the raster of the file; COLMAP's first pixel spans 0 to 1."""
    raster = np.zeros((480, 640, 3), np.uint8)
    for point in image.get_observation_points2D():
        x, y = np.floor(point.xy).astype(int)
        if point.point3D_id not in hidden and 0 <= x < 640 and 0 <= y < 480:
            raster[y, x] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(raster).save(path, exif=exif)
