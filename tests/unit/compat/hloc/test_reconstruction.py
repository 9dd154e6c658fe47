from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest

from tiepoint.compat.hloc import pairs_from_covisibility, pairs_from_poses, reconstruction
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def model(files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("sfm") / "new"
    found = reconstruction.main(
        folder, files.images, files.pairs, files.features, files.matches, camera_mode="SINGLE"
    )
    return folder, found


def test_the_model_registers_all_images(files, model: tuple[Path, Any]) -> None:
    folder, found = model
    assert found.num_reg_images() == len(files.collection.images)
    assert found.compute_mean_reprojection_error() < 0.5
    assert pycolmap.Reconstruction(str(folder)).num_reg_images() == found.num_reg_images()
    with pycolmap.Database.open(str(folder / "database.db")) as database:
        assert database.num_images() == len(files.collection.images)
        assert database.num_cameras() == 1
    assert not (folder / "models").exists()


def distance(files, names: list[str]) -> float:
    return float(np.linalg.norm(files.scene.center(names[0]) - files.scene.center(names[1])))


def test_pairs_of_the_nearest_cameras(files, model: tuple[Path, Any], tmp_path: Path) -> None:
    pairs_from_poses.main(model[0], tmp_path / "pairs.txt", 2, rotation_threshold=180)
    pairs = [line.split() for line in (tmp_path / "pairs.txt").read_text().splitlines()]
    names = [image.name for image in files.collection.images]
    assert len(pairs) == 2 * len(names)
    for name in names:
        chosen = [pair for pair in pairs if pair[0] == name]
        others = [[name, other] for other in names if other != name and [name, other] not in chosen]
        assert (
            max(distance(files, pair) for pair in chosen)
            < min(distance(files, pair) for pair in others) * 1.05
        )
    pairs_from_poses.main(model[0], tmp_path / "pairs.txt", 2, rotation_threshold=1e-3)
    assert (tmp_path / "pairs.txt").read_text() == ""


def test_pairs_of_covisible_images(model: tuple[Path, Any], tmp_path: Path) -> None:
    folder, found = model
    pairs_from_covisibility.main(folder, tmp_path / "pairs.txt", 1)
    points = {
        image.name: {point.point3D_id for point in image.points2D if point.has_point3D()}
        for image in found.images.values()
    }
    pairs = [line.split() for line in (tmp_path / "pairs.txt").read_text().splitlines()]
    assert len(pairs) == len(points)
    for name, partner in pairs:
        assert len(points[name] & points[partner]) == max(
            len(points[name] & points[other]) for other in points if other != name
        )


def test_without_verification_and_with_a_minimum_score(files, tmp_path: Path) -> None:
    arguments = (files.images, files.pairs, files.features, files.matches)
    found = reconstruction.main(tmp_path / "all", *arguments, skip_geometric_verification=True)
    assert found.num_reg_images() >= 3
    assert reconstruction.main(tmp_path / "none", *arguments, min_match_score=2.0) is None
    assert [path.name for path in (tmp_path / "none").iterdir()] == ["database.db"]


def test_invalid_arguments(files, tmp_path: Path) -> None:
    arguments = (files.images, files.pairs, files.features, files.matches)
    with pytest.raises(InvalidInput, match="did you mean 'SINGLE'"):
        reconstruction.main(tmp_path / "sfm", *arguments, camera_mode="SNGLE")
    with pytest.raises(InvalidInput, match="mapper"):
        reconstruction.main(tmp_path / "sfm", *arguments, mapper_options={"mapper.unknown": 1})
    (tmp_path / "pairs.txt").write_text("a.jpg missing.jpg\n")
    with pytest.raises(InvalidInput, match=r"missing\.jpg"):
        reconstruction.main(
            tmp_path / "sfm", files.images, tmp_path / "pairs.txt", files.features, files.matches
        )
    assert list((tmp_path / "sfm").iterdir()) == []
