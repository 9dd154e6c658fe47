"""sfm_data.json of OpenMVG: read as cereal reads it and projected by its rules, points hit their keypoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.sparse_models import LENS, MAX_ERROR_PX, use_lens

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.openmvg import export_openmvg
from tiepoint.collection.export.sparse_model import SparseModel
from tiepoint.errors import InvalidInput

NEW = 2**31


def read(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "sfm_data.json").read_text(encoding="utf-8"))
    assert content["sfm_data_version"] == "0.3"
    names: dict[int, str] = {}
    pointers = set()
    for entry in content["views"] + content["intrinsics"]:
        pointer = entry["value"]["ptr_wrapper"]["id"]
        assert pointer > NEW
        assert pointer not in pointers
        pointers.add(pointer)
    for entry in content["views"]:
        assert entry["value"]["polymorphic_id"] == 2**30
        assert entry["value"]["ptr_wrapper"]["data"]["id_view"] == entry["key"]
    for entry in content["intrinsics"]:
        kind = entry["value"]["polymorphic_id"]
        if kind > NEW:
            names[kind - NEW] = entry["value"]["polymorphic_name"]
        entry["name"] = names[kind % NEW]
    return {key: values if isinstance(values, str) else by_key(values) for key, values in content.items()}


def by_key(entries: list[dict[str, Any]]) -> dict[int, Any]:
    return {entry["key"]: entry["value"] | {"name": entry.get("name")} for entry in entries}


def project(content: dict[str, Any], view: int, point: list[float]) -> np.ndarray:
    data = content["views"][view]["ptr_wrapper"]["data"]
    pose = content["extrinsics"][data["id_pose"]]
    intrinsic = content["intrinsics"][data["id_intrinsic"]]
    X = np.array(pose["rotation"]) @ (np.array(point) - pose["center"])
    assert X[2] > 0
    values = intrinsic["ptr_wrapper"]["data"]
    k1, k2, k3, t1, t2 = {
        "pinhole": lambda: (0.0,) * 5,
        "pinhole_radial_k3": lambda: (*values["disto_k3"], 0.0, 0.0),
        "pinhole_brown_t2": lambda: values["disto_t2"],
    }[intrinsic["name"]]()
    x, y = X[:2] / X[2]
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent = np.array(
        [
            x * radial + t2 * (r2 + 2 * x * x) + 2 * t1 * x * y,
            y * radial + t1 * (r2 + 2 * y * y) + 2 * t2 * x * y,
        ]
    )
    return values["focal_length"] * bent + values["principal_point"]


@pytest.mark.parametrize("distortion", [(0.05, 0.0, 0.0, 0.0), LENS["distortion"], (0.0,) * 4])
def test_openmvg_projects_points_to_their_keypoints(
    distortion: tuple[float, ...], use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    use_lens(use_model, **LENS | {"fy": 700.0, "distortion": distortion})
    content = read(export_openmvg(two_images, tmp_path / "out"))
    assert len(content["structure"]) == len(use_model.points)
    for value in content["structure"].values():
        for each in value["observations"]:
            found = project(content, each["key"], value["X"]) + 0.5
            expected = use_model.images[each["key"]].points2d[each["value"]["id_feat"]]
            assert np.abs(found - expected).max() < MAX_ERROR_PX
            np.testing.assert_allclose(np.array(each["value"]["x"]) + 0.5, expected)


def test_images_are_found_from_the_root(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    object.__setattr__(use_model, "cameras", use_model.cameras * 2)
    object.__setattr__(use_model.images[1], "camera", 1)
    content = read(export_openmvg(two_images, tmp_path / "out"))
    for index, image in enumerate(use_model.images):
        data = content["views"][index]["ptr_wrapper"]["data"]
        path = Path(content["root_path"]) / data["local_path"] / data["filename"]
        assert path == image.path


def test_two_focal_lengths_are_refused(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    use_lens(use_model, **LENS)
    with pytest.raises(InvalidInput, match=r"OpenMVG's .* got 700\.0 and 690\.0 px"):
        export_openmvg(two_images, tmp_path / "out")
