"""Truncated binary files of COLMAP models, which pycolmap reads without an error or in an endless loop."""

from pathlib import Path

import pycolmap
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import read_reconstruction

NAMES = ("cameras", "frames", "images", "points3D", "rigs")


@pytest.fixture(scope="module")
def reconstruction() -> pycolmap.Reconstruction:
    """Two rigs of three cameras, 100 points."""
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=2, num_cameras_per_rig=3, num_frames_per_rig=4, num_points3D=100
    )
    return pycolmap.synthesize_dataset(options)


@pytest.fixture
def model(reconstruction: pycolmap.Reconstruction, tmp_path: Path) -> Path:
    reconstruction.write_binary(str(tmp_path))
    return tmp_path


def test_a_complete_model_is_read(model: Path, reconstruction: pycolmap.Reconstruction) -> None:
    found = read_reconstruction(model)
    assert found.num_images() == reconstruction.num_images() == 24
    assert found.num_points3D() == reconstruction.num_points3D()


def test_a_model_without_rigs_and_frames_is_read(tmp_path: Path) -> None:
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(num_rigs=1, num_cameras_per_rig=1, num_frames_per_rig=4)
    pycolmap.synthesize_dataset(options).write_binary(str(tmp_path))
    for name in ("rigs", "frames"):
        (tmp_path / f"{name}.bin").unlink()
    assert read_reconstruction(tmp_path).num_images() == 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9999])
def test_a_truncated_file_is_refused(model: Path, name: str, share: float) -> None:
    path = model / f"{name}.bin"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InvalidInput, match=rf"{name}\.bin: the file is truncated"):
        read_reconstruction(model)


@pytest.mark.parametrize("name", NAMES)
def test_one_missing_byte_is_noticed(model: Path, name: str) -> None:
    path = model / f"{name}.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match="truncated"):
        read_reconstruction(model)


def test_an_unknown_camera_model_is_refused(model: Path) -> None:
    data = bytearray((model / "cameras.bin").read_bytes())
    data[12:16] = (99).to_bytes(4, "little")
    (model / "cameras.bin").write_bytes(data)
    with pytest.raises(InvalidInput, match="unknown camera model 99"):
        read_reconstruction(model)
