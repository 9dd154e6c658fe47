"""bundle.out of Bundler: projected by its rules, points hit their keypoints."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.sparse_models import MAX_ERROR_PX, distort

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.bundler import export_bundler
from tiepoint.collection.export.sparse_model import SparseModel
from tiepoint.errors import InvalidInput


def test_bundler_projects_points_to_their_keypoints(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    folder = export_bundler(two_images, tmp_path / "out")
    assert (folder / "list.txt").read_text().splitlines() == [str(image.path) for image in use_model.images]
    lines = (folder / "bundle.out").read_text().splitlines()
    num_images, num_points = map(int, lines[1].split())
    assert (lines[0], num_images, num_points) == (
        "# Bundle file v0.3",
        len(use_model.images),
        len(use_model.points),
    )
    numbers = [np.array(line.split(), dtype=float) for line in lines[2:]]
    cameras = [numbers[5 * index : 5 * index + 5] for index in range(num_images)]
    for position, _, views in (numbers[5 * num_images + 3 * i :][:3] for i in range(num_points)):
        assert len(views) == 1 + 4 * views[0]
        for image, _, x, y in views[1:].reshape(-1, 4):
            (focal, k1, k2), *rotation, translation = cameras[int(image)]
            P = np.array(rotation) @ position + translation
            found = focal * distort(-P[:2] / P[2], k1, k2)
            assert np.abs(found - (x, y)).max() < MAX_ERROR_PX


def test_cameras_that_bundler_cannot_hold(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    object.__setattr__(use_model.cameras[0], "distortion", (0.0, 0.0, 0.1, 0.0))
    with pytest.raises(InvalidInput, match="no tangential distortion"):
        export_bundler(two_images, tmp_path / "out")
    object.__setattr__(use_model.cameras[0], "fx", 900.0)
    with pytest.raises(InvalidInput, match=r"one focal length per camera, got 900\.0 and 700\.0 px"):
        export_bundler(two_images, tmp_path / "out")
