"""Attempts of the mapper: their order, their options, and which one counts."""

from pathlib import Path
from typing import Any

import pytest
from tests.helpers.synthetic_collections import make_collection

from tiepoint.collection.export.colmap_database import export_colmap
from tiepoint.collection.sfm import mapper
from tiepoint.collection.sfm.mapper import MapperRun, run_mapper


class Model:
    """Model of COLMAP with a number of registered images."""

    def __init__(self, size: int, points: int = 100) -> None:
        self.size, self.points = size, points

    def num_reg_images(self) -> int:
        return self.size

    def num_points3D(self) -> int:
        return self.points


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images on an arc."""
    return export_colmap(make_collection(tmp_path_factory.mktemp("mapper"))[0])


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the models of each attempt in order; afterwards none."""
    sizes: list[int] = []

    def mapping(database: Path, images: Path, output: Path, options: Any) -> dict[int, Model]:
        size = sizes.pop(0) if sizes else 0
        return {0: Model(size)} if size else {}

    monkeypatch.setattr(mapper, "_incremental_mapping", mapping)
    return sizes


def attempts(database: Path, folder: Path, **options: Any) -> MapperRun:
    return run_mapper(database, folder, folder, threads=1, seed=0, options=options)


def test_the_first_attempt_is_enough_if_half_of_the_images_are_registered(
    database: Path, tmp_path: Path, sizes: list[int]
) -> None:
    sizes += [3]
    found = attempts(database, tmp_path)
    assert [str(attempt) for attempt in found.attempts] == ["default initialization"]
    assert found.best == found.attempts[0]
    assert found.folder.is_dir()


def test_small_models_lead_to_further_attempts_and_the_largest_is_kept(
    database: Path, tmp_path: Path, sizes: list[int]
) -> None:
    sizes += [2, 1, 0, 2]
    found = attempts(database, tmp_path)
    assert len(found.attempts) == 5
    assert found.size == 2
    assert str(found.best) == "default initialization"


def test_models_without_points_are_none(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapper, "_incremental_mapping", lambda *_: {0: Model(6, points=1)})
    found = attempts(database, tmp_path)
    assert (found.size, found.best, found.models) == (0, None, {})


def test_without_a_model_all_attempts_are_made(database: Path, tmp_path: Path, sizes: list[int]) -> None:
    found = attempts(database, tmp_path)
    names = [str(attempt) for attempt in found.attempts]
    assert names[1] == "relaxed initialization (init_max_forward_motion=1.0, init_min_tri_angle=2.0)"
    images = [
        image for name in names[2:] for image in name.removeprefix("initial pair ").split(" (")[0].split(", ")
    ]
    assert len(images) == len(set(images)) == 6
    assert (found.models, found.best) == ({}, None)


def test_values_of_the_user_are_not_replaced(database: Path, tmp_path: Path, sizes: list[int]) -> None:
    found = attempts(database, tmp_path, init_min_tri_angle=8, **{"mapper.init_min_num_inliers": 10})
    assert str(found.attempts[1]) == "relaxed initialization (init_max_forward_motion=1.0)"
    assert "init_min_num_inliers" not in found.attempts[2].options


def test_an_initial_pair_of_the_user_is_the_only_one(
    database: Path, tmp_path: Path, sizes: list[int]
) -> None:
    found = attempts(database, tmp_path, init_image_id1=1, init_image_id2=4)
    assert [attempt.name for attempt in found.attempts] == [
        "default initialization",
        "relaxed initialization",
    ]


def test_rotating_cameras_are_left_to_the_limits_of_colmap(tmp_path: Path, sizes: list[int]) -> None:
    """With relaxed limits, COLMAP makes up a model with angles of 2 to 4 degrees."""
    database = export_colmap(make_collection(tmp_path, motion="none")[0])
    assert len(attempts(database, tmp_path).attempts) == 1


@pytest.mark.parametrize(("focal_px", "limit"), [(700.0, 10.0), (14_000.0, 43.75)])
def test_telephoto_lenses_are_admitted(
    focal_px: float, limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its default limit, COLMAP leaves their images out (sweeneychris/TheiaSfM#240, mapillary/OpenSfM#1045)."""
    monkeypatch.setattr("tiepoint.collection.images.read_focal_length_px", lambda *_: focal_px)
    database = export_colmap(make_collection(tmp_path, ["a.jpg", "b.jpg"])[0])
    limits: list[float] = []
    monkeypatch.setattr(
        mapper, "_incremental_mapping", lambda *given: limits.append(given[-1].max_focal_length_ratio) or {}
    )
    attempts(database, tmp_path)
    assert set(limits) == {limit}
