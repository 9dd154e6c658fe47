"""Views of a rendered street; SIFT matches them without weights."""

from typing import Any

import numpy as np
import pytest
from benchmarks.panorama.scenes import Scene, Shot, render_scene, rotation, shoot

QUICK: dict[str, Any] = {"preset": "sift+nearest", "max_keypoints": 400, "resize": None, "views": None}
SIZE = (320, 240)
FOCAL_PX = 300.0


@pytest.fixture(scope="session")
def scene() -> Scene:
    return render_scene(2400, 800)


@pytest.fixture(scope="session")
def row(scene: Scene) -> list[Shot]:
    """Four views, 25 degrees apart, not quite level."""
    return [
        shoot(scene, rotation(yaw, pitch, roll), size=SIZE, focal_px=FOCAL_PX)
        for yaw, pitch, roll in ((-38, 2, 1), (-12, -2, -1), (13, 3, 2), (38, -1, 0))
    ]


@pytest.fixture(scope="session")
def images(row: list[Shot]) -> list[np.ndarray]:
    return [shot.pixels for shot in row]
