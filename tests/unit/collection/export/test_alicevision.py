"""sfm_data.json of AliceVision: projected by its rules, points hit their keypoints."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.sparse_models import LENS, MAX_ERROR_PX, use_lens

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.alicevision import export_alicevision
from tiepoint.collection.export.sparse_model import SparseModel


def floats(texts: list[str]) -> np.ndarray:
    assert all(isinstance(text, str) for text in texts)
    return np.array(texts, float)


@pytest.mark.parametrize("distortion", [LENS["distortion"], (0.05, -0.02, 0.0, 0.0)])
def test_alicevision_projects_points_to_their_keypoints(
    distortion: tuple[float, ...], use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    use_lens(use_model, **LENS | {"distortion": distortion})
    folder = export_alicevision(two_images, tmp_path / "out")
    content = json.loads((folder / "sfm_data.json").read_text(encoding="utf-8"))
    assert content["version"] == ["1", "2", "4"]
    views = {view["viewId"]: view for view in content["views"]}
    poses = {each["poseId"]: each["pose"]["transform"] for each in content["poses"]}
    intrinsics = {each["intrinsicId"]: each for each in content["intrinsics"]}
    assert {view["path"] for view in views.values()} == {str(image.path) for image in use_model.images}
    assert len(content["structure"]) == len(use_model.points)
    for landmark in content["structure"]:
        for each in landmark["observations"]:
            view = views[each["observationId"]]
            pose, values = poses[view["poseId"]], intrinsics[view["intrinsicId"]]
            R = floats(pose["rotation"]).reshape(3, 3, order="F")
            x, y, z = R @ (floats(landmark["X"]) - floats(pose["center"]))
            x, y, r2 = x / z, y / z, (x * x + y * y) / z**2
            k1, k2, k3, t1, t2 = (*floats(values["distortionParams"]), 0.0, 0.0)[:5]
            assert values["type"] == ("brown" if len(values["distortionParams"]) == 5 else "radial3")
            radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
            bent = np.array(
                [
                    x * radial + t2 * (r2 + 2 * x * x) + 2 * t1 * x * y,
                    y * radial + t1 * (r2 + 2 * y * y) + 2 * t2 * x * y,
                ]
            )
            size = floats([values["width"], values["height"]])
            fx = float(values["focalLength"]) / float(values["sensorWidth"]) * size[0]
            focal = np.array([fx, fx / float(values["pixelRatio"])])
            found = focal * bent + size / 2 + floats(values["principalPoint"]) + 0.5
            expected = use_model.images[int(each["observationId"])].points2d[int(each["featureId"])]
            assert np.abs(found - expected).max() < MAX_ERROR_PX
            np.testing.assert_allclose(floats(each["x"]) + 0.5, expected)
