"""Camera XML of Metashape: projected by its rules, points hit their keypoints."""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.helpers.sparse_models import LENS, MAX_ERROR_PX, observations, use_lens

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.metashape import export_metashape
from tiepoint.collection.export.sparse_model import SparseModel
from tiepoint.errors import InvalidInput


def text(element: ET.Element) -> str:
    assert element.text is not None
    return element.text


def size(calibration: ET.Element) -> tuple[float, float]:
    values = child(calibration, "resolution").attrib
    return float(values["width"]), float(values["height"])


def child(parent: ET.Element, path: str) -> ET.Element:
    found = parent.find(path)
    assert found is not None, path
    return found


def test_metashape_projects_points_to_their_keypoints(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    use_lens(use_model, **LENS)
    warnings: list[str] = []
    collection = open_collection(two_images.folder, on_warning=warnings.append)
    folder = export_metashape(collection, tmp_path / "out")
    root = ET.parse(folder / "cameras.xml").getroot()
    assert root.tag == "document"
    sensors = {each.get("id"): each for each in root.iterfind("chunk/sensors/sensor")}
    cameras = list(root.iterfind("chunk/cameras/camera"))
    assert [each.get("label") for each in cameras] == [image.path.stem for image in use_model.images]
    for index, camera in enumerate(cameras):
        calibration = child(sensors[camera.attrib["sensor_id"]], "calibration")
        width, height = size(calibration)
        c = {each.tag: float(text(each)) for each in calibration if each.tag != "resolution"}
        chunk_from_camera = np.array(text(child(camera, "transform")).split(), float).reshape(4, 4)
        camera_from_chunk = np.linalg.inv(chunk_from_camera)
        points, keypoints = observations(use_model, index)
        X, Y, Z = (points @ camera_from_chunk[:3, :3].T + camera_from_chunk[:3, 3]).T
        assert (Z > 0).all()
        x, y = X / Z, Y / Z
        r2 = x * x + y * y
        radial = 1 + c["k1"] * r2 + c["k2"] * r2**2
        x1 = x * radial + c["p1"] * (r2 + 2 * x * x) + 2 * c["p2"] * x * y
        y1 = y * radial + c["p2"] * (r2 + 2 * y * y) + 2 * c["p1"] * x * y
        u = width * 0.5 + c["cx"] + x1 * c["f"] + x1 * c["b1"]
        v = height * 0.5 + c["cy"] + y1 * c["f"]
        assert np.abs(np.stack([u, v], axis=1) - keypoints).max() < MAX_ERROR_PX
    assert not (folder / "bundle.out").exists()
    assert "no tie points are written" in warnings[0]


def test_tie_points_are_those_of_bundler(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    folder = export_metashape(two_images, tmp_path / "out")
    header = (folder / "bundle.out").read_text().splitlines()[1]
    assert header == f"{len(use_model.images)} {len(use_model.points)}"
    assert len((folder / "list.txt").read_text().splitlines()) == len(use_model.images)


def test_labels_that_metashape_cannot_distinguish(
    use_model: SparseModel, two_images: Collection, tmp_path: Path
) -> None:
    object.__setattr__(use_model.images[0], "name", "left/1.jpg")
    object.__setattr__(use_model.images[1], "name", "right/1.png")
    with pytest.raises(InvalidInput, match=r"'left/1.jpg' and 'right/1.png'"):
        export_metashape(two_images, tmp_path / "out")
