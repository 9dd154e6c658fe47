"""Warps as files: the same as those of a training, read back with given features."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.helpers.given_features import brightest_points, write_hloc_features
from tests.helpers.noise_images import write_images

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.image import read_image
from tiepoint.training.data import warp_files
from tiepoint.training.data.feature_files import extractor_from_files
from tiepoint.training.data.homographic_warps import WarpConfig, make_warp, warp_generator
from tiepoint.training.data.warp_files import cache_warp_files, write_warps
from tiepoint.training.data.warp_list import WARPS, read_warps

CONFIG = WarpConfig(per_image=2, resize=96)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warp-files") / "photos"
    write_images(folder, 3)
    return folder


@pytest.fixture
def warps(photos: Path, tmp_path: Path) -> Path:
    assert write_warps(photos, tmp_path / "warps", CONFIG) == ()
    return tmp_path / "warps"


def test_files_are_the_warps_of_a_training(photos: Path, warps: Path) -> None:
    first = read_warps(warps).images[0]
    assert first.source == str(photos / "0.png")
    image = read_image(photos / "0.png")
    for index, file in enumerate(first.warps):
        expected, homography = make_warp(image, warp_generator(CONFIG, first.key, index), CONFIG)
        assert np.array_equal(file.homography, homography)
        assert file.size == expected.image_size
        assert np.array_equal(np.asarray(read_image(file.path).to_pil()), np.asarray(expected.to_pil()))


def test_unusable_images_are_reported(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_images(folder, 1)
    (folder / "broken.png").write_bytes(b"no image")
    (problem,) = write_warps(folder, tmp_path / "warps", CONFIG)
    assert "broken.png" in problem
    (folder / "0.png").unlink()
    with pytest.raises(InvalidInput, match=r"broken\.png"):
        write_warps(folder, tmp_path / "none", CONFIG)


def test_features_of_warps_are_read_back(warps: Path, tmp_path: Path) -> None:
    extractor = extractor_from_files(write_hloc_features(warps, tmp_path / "f.h5"), warps, CPU)
    listed = read_warps(warps)
    cached = cache_warp_files(listed, extractor, tmp_path / "store", 10)
    assert (len(cached), cached.problems) == (3, ())
    for index, image in enumerate(listed.images):
        for warp, file in zip(cached.read(index), image.warps, strict=True):
            expected = brightest_points(read_image(file.path)).scores.sort(descending=True).values[:10]
            assert torch.equal(warp.features.scores, expected)
            assert warp.features.source == image.source


def test_images_with_unusable_features_are_reported(warps: Path, tmp_path: Path) -> None:
    path = write_hloc_features(warps, tmp_path / "f.h5")
    _, image1, image2 = read_warps(warps).images
    removed, resized = image1.warps[1].path.name, image2.warps[0].path.name
    with h5py.File(path, "a") as file:
        del file[removed]
        del file[f"{resized}/image_size"]
        file[f"{resized}/image_size"] = np.array([500, 400])
    extractor = extractor_from_files(path, warps, CPU)
    cached = cache_warp_files(read_warps(warps), extractor, tmp_path / "store", 10)
    assert len(cached) == 1
    missing, size = cached.problems
    assert removed in missing
    assert "(500, 400)" in size


def test_features_are_saved_in_batches(warps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = extractor_from_files(write_hloc_features(warps, tmp_path / "f.h5"), warps, CPU)
    monkeypatch.setattr(warp_files, "SHARD_SIZE", 2)
    cached = cache_warp_files(read_warps(warps), extractor, tmp_path / "store", 10)
    assert len(cached.store.shards(warp_files.KIND)) == 2


def test_other_warps_are_not_taken_for_those_in_the_store(warps: Path, tmp_path: Path) -> None:
    extractor = extractor_from_files(write_hloc_features(warps, tmp_path / "f.h5"), warps, CPU)
    cache_warp_files(read_warps(warps), extractor, tmp_path / "store", 10)
    content = json.loads((warps / WARPS).read_text())
    content["images"][0]["warps"][0]["image_from_warp"][0][2] += 5
    (warps / WARPS).write_text(json.dumps(content))
    with pytest.raises(StoreError, match="warps"):
        cache_warp_files(read_warps(warps), extractor, tmp_path / "store", 10)


def test_replaced_files_are_reported(photos: Path, warps: Path, tmp_path: Path) -> None:
    extractor = extractor_from_files(write_hloc_features(warps, tmp_path / "f.h5"), warps, CPU)
    listed = read_warps(warps)
    listed.images[0].warps[0].path.write_bytes((photos / "0.png").read_bytes())
    listed.images[1].warps[1].path.unlink()
    replaced, missing = cache_warp_files(listed, extractor, tmp_path / "store", 10).problems
    assert "write the warps again" in replaced
    assert "cannot read" in missing


def test_warps_of_earlier_calls_are_removed(photos: Path, warps: Path) -> None:
    (warps / "features.h5").touch()
    first = {file.path.name for image in read_warps(warps).images for file in image.warps}
    write_warps(photos, warps, WarpConfig(per_image=2, resize=64))
    second = {file.path.name for image in read_warps(warps).images for file in image.warps}
    assert not first & second
    assert {path.name for path in warps.iterdir()} == second | {WARPS, "features.h5"}


def test_an_interrupted_call_leaves_no_list(
    photos: Path, warps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warp_files, "_write_warp", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_warps(photos, warps, CONFIG)
    assert not (warps / WARPS).exists()


@pytest.mark.parametrize("folder", [".", "warps"])
def test_warps_among_the_images_are_refused(photos: Path, folder: str) -> None:
    with pytest.raises(InvalidInput, match="outside of it"):
        write_warps(photos, photos / folder, CONFIG)
