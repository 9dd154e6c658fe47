"""transforms.json of nerfstudio: projected by its rules, points hit their keypoints."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.sparse_models import MAX_ERROR_PX, distort, observations

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.nerfstudio import export_nerfstudio
from tiepoint.collection.export.sparse_model import SparseModel
from tiepoint.errors import InvalidInput


def test_nerfstudio_projects_points_to_their_keypoints(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    folder = export_nerfstudio(two_images, tmp_path / "out")
    content = json.loads((folder / "transforms.json").read_text())
    assert len(content["frames"]) == len(use_model.images)
    for index, frame in enumerate(content["frames"]):
        file = folder / frame["file_path"]
        assert file.read_bytes() == file.name.encode()
        values = content | frame
        camera_from_world = np.linalg.inv(np.array(values["transform_matrix"]))
        points, keypoints = observations(use_model, index)
        x, y, z = (points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]).T
        assert (z < 0).all()  # OpenGL looks along -z
        bent = distort(np.stack([x / -z, y / z], axis=1), values["k1"], values["k2"])
        found = bent * (values["fl_x"], values["fl_y"]) + (values["cx"], values["cy"])
        assert np.abs(found - keypoints).max() < MAX_ERROR_PX
    assert (folder / content["ply_file_path"]).stat().st_size > 15 * len(use_model.points)


def test_intrinsics_of_several_cameras_stand_in_the_frames(
    use_model: SparseModel, two_images: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(use_model, "cameras", use_model.cameras * 2)
    content = json.loads((export_nerfstudio(two_images, tmp_path / "out") / "transforms.json").read_text())
    assert "fl_x" not in content
    assert all(frame["fl_x"] == 700 for frame in content["frames"])


def test_images_that_are_gone_leave_no_file(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    use_model.images[1].path.unlink()
    with pytest.raises(InvalidInput, match="is not there any more"):
        export_nerfstudio(two_images, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
