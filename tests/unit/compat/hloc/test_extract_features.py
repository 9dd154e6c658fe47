import copy
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.random_networks import draw_superpoint
from tests.helpers.small_collections import write_image_folder

from tiepoint.compat.hloc import extract_features
from tiepoint.compat.hloc.extract_features import Preprocessing, read_raster
from tiepoint.compat.hloc.files import group_names
from tiepoint.compat.lightglue import ALIKED
from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape

CONF = {
    "output": "feats-small",
    "model": {
        "name": "aliked",
        "model_name": "aliked-t16",
        "detection_threshold": 0.02,
        "max_num_keypoints": 50,
    },
    "preprocessing": {"resize_max": 96},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_image_folder(tmp_path_factory.mktemp("images") / "db", 3)
    for path in folder.iterdir():
        path.rename(folder / path.name.replace(" ", "_"))
    return folder.parent


@pytest.mark.weights
def test_layout(images: Path, tmp_path: Path) -> None:
    path = extract_features.main(CONF, images, tmp_path)
    assert path == tmp_path / "feats-small.h5"
    names = ["db/view_1.png", "db/view_2.png", "db/view_3.png"]
    assert group_names(path) == names
    with h5py.File(path) as file:
        group = file[names[0]]
        count = len(group["keypoints"])
        assert 10 < count <= 50
        assert group["descriptors"].shape == (64, count)
        assert [group[key].dtype for key in ("keypoints", "descriptors", "scores")] == ["f4", "f2", "f2"]
        assert group["image_size"][:].tolist() == [128, 96]
        assert group["keypoints"].attrs["uncertainty"] == pytest.approx(128 / 96)


@pytest.mark.weights
def test_keypoints_are_those_of_lightglue(images: Path, tmp_path: Path) -> None:
    conf = copy.deepcopy(CONF) | {"preprocessing": {}}
    path = extract_features.main(conf, images, tmp_path, as_half=False, image_list=["db/view_2.png"])
    options = {name: value for name, value in conf["model"].items() if name != "name"}
    expected = ALIKED(**options).extract(read_raster(images / "db/view_2.png"), resize=None)
    with h5py.File(path) as file:
        assert list(file["db"]) == ["view_2.png"]
        group = file["db/view_2.png"]
        np.testing.assert_allclose(group["keypoints"], expected["keypoints"][0], atol=1e-4)
        np.testing.assert_array_equal(group["descriptors"], expected["descriptors"][0].T)


@pytest.mark.weights
def test_disk(images: Path, tmp_path: Path) -> None:
    conf = copy.deepcopy(extract_features.confs["disk"])
    conf["model"]["max_keypoints"] = 20
    path = extract_features.main(conf, images, tmp_path, image_list=["db/view_1.png"])
    with h5py.File(path) as file:
        assert file["db/view_1.png/descriptors"].shape == (128, 20)
        assert file["db/view_1.png/keypoints"].attrs["uncertainty"] == 1


def test_superpoint(images: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SuperPoint(SuperPointShape(widths=(8, 8, 16, 16), head_width=32, dim=24))
    draw_superpoint(network, read_raster(images / "db/view_1.png"))
    torch.save(network.state_dict(), tmp_path / "superpoint.pth")
    conf = copy.deepcopy(extract_features.confs["superpoint_aachen"])
    conf["model"] |= {"weights": tmp_path / "superpoint.pth", "max_keypoints": 20, "keypoint_threshold": 0.0}
    path = extract_features.main(conf, images, tmp_path, image_list=["db/view_1.png"])
    assert path.name == "feats-superpoint-n4096-r1024.h5"
    with h5py.File(path) as file:
        assert file["db/view_1.png/descriptors"].shape == (24, 20)
        assert file["db/view_1.png/keypoints"].attrs["uncertainty"] == 2


@pytest.mark.weights
def test_images_in_the_file_are_skipped(images: Path, tmp_path: Path) -> None:
    path = extract_features.main(CONF, images, feature_path=tmp_path / "x.h5", image_list=["db/view_1.png"])
    with h5py.File(path, "a") as file:
        file["db/view_1.png/keypoints"][0] = -7
    extract_features.main(CONF, images, feature_path=path)
    assert len(group_names(path)) == 3
    with h5py.File(path) as file:
        assert file["db/view_1.png/keypoints"][0].tolist() == [-7, -7]
    extract_features.main(CONF, images, feature_path=path, overwrite=True)
    with h5py.File(path) as file:
        assert file["db/view_1.png/keypoints"][0].min() >= 0


@pytest.mark.weights
def test_a_broken_image_keeps_those_before_it(images: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    PIL.Image.open(images / "db/view_1.png").save(tmp_path / "a.png")
    path = tmp_path / "features.h5"
    with pytest.raises(InvalidInput, match=r"broken\.jpg"):
        extract_features.main(CONF, tmp_path, feature_path=path, image_list=["a.png", "broken.jpg"])
    assert group_names(path) == ["a.png"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_ignored(tmp_path: Path, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    raster = read_raster(tmp_path / "turned.png")
    assert (raster.permute(1, 2, 0) * 255).round().numpy().astype(np.uint8).tolist() == pixels.tolist()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (60, 80)),
        ({"resize_max": 40}, (30, 40)),
        ({"resize_max": 160}, (60, 80)),
        ({"resize_max": 160, "resize_force": True}, (120, 160)),
        ({"resize_max": 40, "interpolation": "cv2_linear"}, (30, 40)),
    ],
)
def test_resizing(images: Path, options: dict, shape: tuple[int, int]) -> None:
    pixels = read_raster(images / "db/view_1.png")[:, :60, :80]
    assert Preprocessing.from_configuration(options).apply(pixels).shape == (3, *shape)


def test_globs(images: Path) -> None:
    assert len(Preprocessing().names(images)) == 3
    with pytest.raises(InvalidInput, match=r"\*\.tif"):
        Preprocessing(globs=["*.tif"]).names(images)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (extract_features.confs["superpoint_aachen"], "accept_license"),
        (CONF | {"preprocessing": {"resize_min": 3}}, "did you mean 'resize_max'"),
        ({**CONF, "model": {"name": "disk", "nms_window_size": 7}}, "nms_window_size"),
        ({**CONF, "model": {"name": "superpoint", "fix_sampling": True}}, "fix_sampling"),
        ({**CONF, "model": {"name": "netvlad"}}, "available: aliked, disk, superpoint"),
    ],
)
def test_invalid_configurations(images: Path, tmp_path: Path, conf: dict, message: str) -> None:
    with pytest.raises((InvalidInput, WeightsError), match=message):
        extract_features.main(conf, images, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_output_is_needed(images: Path) -> None:
    with pytest.raises(InvalidInput, match="export_dir"):
        extract_features.main(CONF, images)
