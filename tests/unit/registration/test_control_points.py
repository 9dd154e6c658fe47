"""Control points: all matches as CSV, the inliers in map coordinates for QGIS."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image.georeferencing import GeoTags
from tiepoint.registration.control_points import (
    COLUMNS,
    QGIS_COLUMNS,
    check_control_points_path,
    write_control_points,
)
from tiepoint.types import Correspondences

GEO = GeoTags(
    ((33550, 12, 3, (0.5, 0.5, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True))
)
MATCHES = Correspondences.from_points(
    [[10, 20], [30, 40], [5, 5]], [[12, 20], [33, 44], [90, 90]], [0.5, 0.6, 0.7]
)
MAPPED = MATCHES.points0 + np.array([2.0, 0])
INLIERS = np.array([True, True, False])


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv(tmp_path: Path):
    write_control_points(tmp_path / "a.csv", MATCHES, MAPPED, INLIERS, GEO)
    rows = read(tmp_path / "a.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [row["inlier"] for row in rows] == ["1", "1", "0"]
    assert float(rows[0]["residual_px"]) == 0
    assert float(rows[1]["residual_px"]) == pytest.approx(np.hypot(1, 4), abs=1e-3)
    assert float(rows[2]["x_fixed"]) == 90


def test_qgis(tmp_path: Path):
    write_control_points(tmp_path / "a.points", MATCHES, MAPPED, INLIERS, GEO)
    rows = read(tmp_path / "a.points")
    assert tuple(rows[0]) == QGIS_COLUMNS
    assert len(rows) == 2
    values = {name: float(value) for name, value in rows[1].items()}
    assert (values["mapX"], values["mapY"]) == (100 + 0.5 * 33.5, 200 - 0.5 * 44.5)
    assert (values["sourceX"], values["sourceY"]) == (30.5, -40.5)
    assert (values["dX"], values["dY"]) == (-1, 4)
    assert values["enable"] == 1


def test_qgis_without_georeference(tmp_path: Path):
    write_control_points(tmp_path / "a.points", MATCHES, MAPPED, INLIERS, GeoTags())
    assert float(read(tmp_path / "a.points")[0]["mapY"]) == -20.5


def test_other_suffixes():
    with pytest.raises(InvalidInput, match=r"expected a name ending in \.csv or \.points"):
        check_control_points_path(Path("a.txt"))
