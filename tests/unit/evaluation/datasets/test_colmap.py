"""COLMAP models, text and binary, against a synthetic reconstruction of pycolmap."""

import re
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.datasets.colmap import read_colmap
from tiepoint.geometry.multiview import epipolar_distances, essential_from_pose, fundamental_from_essential

SIZE = (1024, 768)


@pytest.fixture(scope="session")
def reconstruction() -> pycolmap.Reconstruction:
    """Four cameras around 100 points, all visible in all images."""
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 4
    options.num_points3D, options.num_points2D_without_point3D = 100, 7
    options.camera_model_id = pycolmap.CameraModelId.SIMPLE_RADIAL
    options.camera_params = [1280, 512, 384, 0.0]
    pycolmap.set_random_seed(0)
    return pycolmap.synthesize_dataset(options)


@pytest.fixture
def project(reconstruction: pycolmap.Reconstruction, tmp_path: Path) -> Path:
    """images/, and the model as text in sparse/0."""
    write_images(reconstruction, tmp_path / "images")
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    reconstruction.write_text(str(tmp_path / "sparse" / "0"))
    return tmp_path


def write_images(reconstruction: pycolmap.Reconstruction, folder: Path, orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for image in reconstruction.images.values():
        path = folder / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIZE).save(path, exif=exif)


def by_stem(reconstruction: pycolmap.Reconstruction) -> dict[str, pycolmap.Image]:
    return {Path(image.name).stem: image for image in reconstruction.images.values()}


def images_of(pair_name: str, reconstruction: pycolmap.Reconstruction) -> list[pycolmap.Image]:
    stems, named = pair_name.rpartition("/")[2], by_stem(reconstruction)
    return next([named[a], named[b]] for a in named for b in named if stems == f"{a}-{b}")


def test_all_pairs_of_images_are_used(project: Path, reconstruction: pycolmap.Reconstruction) -> None:
    dataset = read_dataset("colmap", project)
    assert dataset.problems == ()
    assert len(dataset) == 6
    for pair in dataset.pairs:
        image0, image1 = images_of(pair.name, reconstruction)
        assert (pair.image0, pair.image1) == (
            project / "images" / image0.name,
            project / "images" / image1.name,
        )
        expected = (image1.cam_from_world() * image0.cam_from_world().inverse()).matrix()
        np.testing.assert_allclose(pair.truth.cam1_from_cam0, expected, atol=1e-9)
        assert pair.truth.camera0.image_size == SIZE
        assert pair.truth.camera0.principal_point == (511.5, 383.5)
        assert pair.tags["shared_points"] == 100


def test_binary_and_text_models_are_equal(project: Path, binary: Path) -> None:
    from_text, from_binary = read_dataset("colmap", project), read_dataset("colmap", f"{binary}#../images")
    assert from_binary.problems == ()
    assert [pair.name for pair in from_binary.pairs] == [pair.name for pair in from_text.pairs]
    for pair, other in zip(from_binary.pairs, from_text.pairs, strict=True):
        assert pair.tags == other.tags
        assert pair.truth.camera0 == other.truth.camera0
        np.testing.assert_allclose(pair.truth.cam1_from_cam0, other.truth.cam1_from_cam0, atol=1e-9)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_cameras_are_those_of_the_upright_image(
    project: Path, reconstruction: pycolmap.Reconstruction, orientation: int
) -> None:
    write_images(reconstruction, project / "images", orientation)
    pair = read_dataset("colmap", project).pairs[0]
    image0, image1 = images_of(pair.name, reconstruction)
    points0, points1 = shared_points(image0, image1)
    F = fundamental_from_essential(
        essential_from_pose(pair.truth.cam1_from_cam0),
        pair.truth.camera0.intrinsics,
        pair.truth.camera1.intrinsics,
    )
    upright = [upright_points(points - 0.5, orientation) for points in (points0, points1)]
    np.testing.assert_allclose(epipolar_distances(*upright, F), 0, atol=1e-6)


def shared_points(image0: pycolmap.Image, image1: pycolmap.Image) -> tuple[np.ndarray, np.ndarray]:
    seen = [{p.point3D_id: p.xy for p in image.points2D if p.has_point3D()} for image in (image0, image1)]
    common = sorted(seen[0].keys() & seen[1].keys())
    return np.array([seen[0][i] for i in common]), np.array([seen[1][i] for i in common])


def upright_points(points: np.ndarray, orientation: int) -> np.ndarray:
    """Orientation according to EXIF 2.32; the center of the top-left pixel is (0, 0)."""
    x, y = points.T
    width, height = SIZE
    moved = {1: (x, y), 3: (width - 1 - x, height - 1 - y), 6: (height - 1 - y, x), 8: (y, width - 1 - x)}
    return np.column_stack(moved[orientation])


def test_mirrored_images_are_skipped(project: Path, reconstruction: pycolmap.Reconstruction) -> None:
    write_images(reconstruction, project / "images", orientation=2)
    dataset = read_dataset("colmap", project)
    assert len(dataset) == 0
    assert "mirrored" in dataset.problems[0]


def test_pairs_need_shared_points(project: Path) -> None:
    assert len(read_colmap(project, min_shared_points=100)) == 6
    assert len(read_colmap(project, min_shared_points=101)) == 0


def test_a_damaged_text_file_is_refused(project: Path) -> None:
    file = project / "sparse" / "0" / "images.txt"
    lines = file.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    lines[first] = lines[first].replace(" ", " x", 1)
    file.write_text("\n".join([*lines, "", ""]))
    with pytest.raises(InvalidInput, match=re.escape(str(file.parent))):
        read_dataset("colmap", project)


def test_images_without_points_make_no_pairs(project: Path, reconstruction: pycolmap.Reconstruction) -> None:
    copy = pycolmap.Reconstruction(reconstruction)
    image = next(iter(copy.images.values()))
    for index, point in enumerate(image.points2D):
        if point.has_point3D():
            copy.delete_observation(image.image_id, index)
    copy.write_text(str(project / "sparse" / "0"))
    dataset = read_dataset("colmap", project)
    assert dataset.problems == ()
    assert len(dataset) == 3


@pytest.mark.parametrize(("old", "new"), [(" 1024 ", " x "), ("1280 512", "512")], ids=["size", "parameters"])
def test_a_damaged_camera_is_refused(project: Path, old: str, new: str) -> None:
    file = project / "sparse" / "0" / "cameras.txt"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InvalidInput, match="as a COLMAP model"):
        read_dataset("colmap", project)


def test_images_of_unsupported_cameras_are_skipped(project: Path) -> None:
    file = project / "sparse" / "0" / "cameras.txt"
    file.write_text(file.read_text().replace("SIMPLE_RADIAL", "SIMPLE_RADIAL_FISHEYE"))
    dataset = read_dataset("colmap", project)
    assert len(dataset) == 0
    assert len(dataset.problems) == 4
    assert "SIMPLE_RADIAL_FISHEYE" in dataset.problems[0]


def test_images_with_an_invalid_rotation_are_skipped(project: Path) -> None:
    file = project / "sparse" / "0" / "images.txt"
    lines = file.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    words = lines[first].split()
    lines[first] = " ".join([words[0], "0", "0", "0", "0", *words[5:]])
    file.write_text("\n".join(lines) + "\n")
    for name in ("rigs", "frames"):  # without them, COLMAP takes the poses of images.txt
        (file.parent / f"{name}.txt").unlink()
    dataset = read_dataset("colmap", project)
    assert len(dataset) == 3
    assert words[9] in dataset.problems[0]


def test_images_of_another_size_are_reported(project: Path) -> None:
    for path in (project / "images").rglob("*.png"):
        Image.new("L", (512, 384)).save(path)
    dataset = read_dataset("colmap", project)
    assert len(dataset) == 0
    assert "1024 x 768 px" in dataset.problems[0]
    assert "was it resized?" in dataset.problems[0]


@pytest.fixture
def binary(project: Path, reconstruction: pycolmap.Reconstruction) -> Path:
    folder = project / "binary"
    folder.mkdir()
    reconstruction.write_binary(str(folder))
    return folder
