"""Features read from files: names, digests, and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.helpers.given_features import (
    DIM,
    brightest_points,
    write_hloc_features,
    write_npz_features,
)
from tests.helpers.noise_images import write_images

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.training.data.feature_files import FeatureFiles, FileExtractor, extractor_from_files

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files") / "photos"
    write_images(folder, 2)
    return folder


@pytest.fixture
def hloc(images: Path, tmp_path: Path) -> Path:
    return write_hloc_features(images, tmp_path / "features.h5")


@pytest.fixture
def extractor(images: Path, hloc: Path) -> FileExtractor:
    return extractor_from_files(hloc, images, CPU, kind="mine")


def test_hloc_file(images: Path, extractor: FileExtractor) -> None:
    image = read_image(images / "0.png")
    assert (extractor.settings.kind, extractor.descriptor_dim) == ("mine", DIM)
    for found in (extractor.extract(image), extractor.read(images / "0.png")):
        assert torch.equal(found.scores, brightest_points(image).scores.sort(descending=True).values)
        assert found.source == str(images / "0.png")


def test_npz_files_may_lack_the_suffix_of_the_image(images: Path, tmp_path: Path) -> None:
    extractor = extractor_from_files(write_npz_features(images, tmp_path / "npz"), images, CPU)
    assert len(extractor.limited(7).read(images / "1.png")) == 7


def test_an_npz_file_of_two_images_is_refused(images: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_images(photos, 1)
    folder = write_npz_features(photos, tmp_path / "npz")
    (photos / "0.jpg").write_bytes((photos / "0.png").read_bytes())
    with pytest.raises(InvalidInput, match=r"0\.jpg .*0\.png"):
        FeatureFiles.open(folder, photos)
    (folder / "0.png.npz").write_bytes((folder / "0.npz").read_bytes())
    files = FeatureFiles.open(folder, photos)
    assert [files.name_of(photos / name) for name in ("0.jpg", "0.png")] == ["0", "0.png"]


def test_only_npz_files_may_lack_the_suffix_of_the_image(images: Path, hloc: Path) -> None:
    with h5py.File(hloc, "a") as file:
        file.move("1.png", "1")
    assert FeatureFiles.open(hloc, images).name_of(images / "1.png") is None


def test_images_outside_of_the_folder_have_no_features(
    extractor: FileExtractor, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="no features of"):
        extractor.read(tmp_path / "0.png")


def test_features_without_a_kind_are_warned_about(
    images: Path, hloc: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tiepoint.io.messages._warned", set())
    extractor_from_files(hloc, images, CPU, kind="mine")
    assert not caplog.records
    extractor_from_files(hloc, images, CPU)
    assert "accept any features" in caplog.text


def test_the_fingerprint_is_of_the_content(images: Path, hloc: Path, extractor: FileExtractor) -> None:
    with h5py.File(hloc, "a") as file:
        file["0.png/scores"][0] += 1
    changed = extractor_from_files(hloc, images, CPU, kind="mine")
    assert changed.fingerprint != extractor.fingerprint


def test_missing_image_is_named(images: Path, hloc: Path, extractor: FileExtractor) -> None:
    with pytest.raises(InvalidInput, match=r"2\.png"):
        extractor.read(images / "2.png")


def test_image_without_a_path_is_refused(extractor: FileExtractor) -> None:
    with pytest.raises(InvalidInput, match="path"):
        extractor.extract(Image(pixels=torch.zeros(3, 96, 128, dtype=torch.uint8)))


def test_mixed_dimensions_are_refused(images: Path, hloc: Path) -> None:
    with h5py.File(hloc, "a") as file:
        count = len(file["1.png/keypoints"])
        del file["1.png/descriptors"]
        file["1.png/descriptors"] = np.ones((8, count), np.float32)
    with pytest.raises(InvalidInput, match=rf"1\.png.*{DIM}.*8"):
        extractor_from_files(hloc, images, CPU).read(images / "1.png")


def test_nan_is_refused_with_the_image(images: Path, hloc: Path, extractor: FileExtractor) -> None:
    with h5py.File(hloc, "a") as file:
        file["1.png/descriptors"][0, 0] = np.nan
    with pytest.raises(InvalidInput, match=r"1\.png.*NaN"):
        extractor.read(images / "1.png")


def test_the_first_valid_image_is_the_example(images: Path, hloc: Path) -> None:
    with h5py.File(hloc, "a") as file:
        file["0.png/descriptors"][0, 0] = np.nan
    assert extractor_from_files(hloc, images, CPU).descriptor_dim == DIM
    with h5py.File(hloc, "a") as file:
        file["1.png/descriptors"][0, 0] = np.nan
    with pytest.raises(InvalidInput, match=r"0\.png.*NaN"):
        extractor_from_files(hloc, images, CPU)


def test_features_of_other_images_are_refused(hloc: Path, tmp_path: Path) -> None:
    others = write_images(tmp_path / "others", 1)[0]
    others.rename(others.with_name("x.png"))
    with pytest.raises(InvalidInput, match=r"'0\.png'"):
        extractor_from_files(hloc, tmp_path / "others", CPU)


@pytest.mark.parametrize("content", [b"", b"no HDF5"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "features.h5").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"features\.h5"):
        FeatureFiles.open(tmp_path / "features.h5", tmp_path)


def test_empty_and_missing_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(InvalidInput, match="no features"):
        FeatureFiles.open(tmp_path / "empty.h5", tmp_path)
    with pytest.raises(InvalidInput, match="not found"):
        FeatureFiles.open(tmp_path / "missing.h5", tmp_path)
