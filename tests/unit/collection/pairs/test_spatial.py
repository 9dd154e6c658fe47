"""Great-circle distances and nearest neighbors."""

import numpy as np
import pytest

from tiepoint.collection.pairs import spatial
from tiepoint.collection.pairs.spatial import distance_m, nearest_positions
from tiepoint.image.exif import GPSPosition

PARIS, LONDON, SYDNEY = (
    GPSPosition(48.8566, 2.3522),
    GPSPosition(51.5074, -0.1278),
    GPSPosition(-33.8688, 151.2093),
)


@pytest.mark.parametrize(
    ("place0", "place1", "kilometers"),
    [
        (PARIS, LONDON, 343.6),  # by the geodesic on WGS 84: 343.9
        (PARIS, SYDNEY, 16_960),
        (GPSPosition(0, 0), GPSPosition(0, 180), 20_015.1),
        (GPSPosition(90, 0), GPSPosition(90, 77), 0),
    ],
    ids=["paris-london", "paris-sydney", "half-way-round", "pole"],
)
def test_known_distances(place0: GPSPosition, place1: GPSPosition, kilometers: float):
    assert distance_m(place0, place1) / 1000 == pytest.approx(kilometers, rel=1e-3, abs=1e-6)
    assert distance_m(place0, place1) == distance_m(place1, place0)


def test_millimeter_resolution():
    step = 1e-3 / 6_371_008.8 * 180 / np.pi
    assert distance_m(GPSPosition(48, 2), GPSPosition(48 + step, 2)) == pytest.approx(1e-3, rel=1e-3)
    positions = [
        GPSPosition(48, 2),
        GPSPosition(48 + 3 * step, 2),
        GPSPosition(48 + step, 2),
        GPSPosition(48 - 1.5 * step, 2),
    ]
    assert nearest_positions(positions, 3)[0].tolist() == [2, 3, 1]


def test_neighbors_across_the_date_line_and_the_pole():
    positions = [
        GPSPosition(0, 179.9),
        GPSPosition(0, -179.9),
        GPSPosition(0, 179),
        GPSPosition(89.9, 0),
        GPSPosition(89.9, 180),
    ]
    found = nearest_positions(positions, 1)[:, 0].tolist()
    assert found == [1, 0, 0, 4, 3]


@pytest.mark.parametrize("block", [1, 7, 1024])
def test_neighbors_are_in_the_order_of_the_distances(block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spatial, "POSITIONS_PER_BLOCK", block)
    random = np.random.default_rng(1)
    positions = [GPSPosition(*degrees) for degrees in random.uniform((-90, -180), (90, 180), (60, 2))]
    expected = [
        sorted((j for j in range(60) if j != i), key=lambda j, i=i: distance_m(positions[i], positions[j]))[
            :7
        ]
        for i in range(60)
    ]
    assert nearest_positions(positions, 7).tolist() == expected


def exhaustive_search(positions: list[GPSPosition], count: int) -> np.ndarray:
    """All squared distances, sorted with the lower index first among equal ones."""
    latitude, longitude = np.radians(np.array([position[:2] for position in positions], float)).T
    radius = np.cos(latitude)
    x, y, z = radius * np.cos(longitude), radius * np.sin(longitude), np.sin(latitude)
    squared = sum((axis[:, None] - axis[None]) ** 2 for axis in (x, y, z))
    np.fill_diagonal(squared, np.inf)
    return np.argsort(squared, axis=1, kind="stable")[:, :count]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 4, 8, 40, 399])
@pytest.mark.parametrize("spacing", [0.0, 1e-9, 1e-4, 0.5])
def test_ties_are_those_of_an_exhaustive_search(count: int, spacing: float):
    """A grid around the origin with repeated positions: many distances are equal, or differ by rounding only."""
    random = np.random.default_rng(0)
    positions = [GPSPosition(*(spacing * random.integers(-6, 7, 2)).tolist()) for _ in range(400)]
    np.testing.assert_array_equal(nearest_positions(positions, count), exhaustive_search(positions, count))


def test_ties_go_to_the_lower_index():
    assert nearest_positions([PARIS] * 4, 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


@pytest.mark.parametrize(("places", "neighbors"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_fewer_positions_than_neighbors(places: int, neighbors: int):
    assert nearest_positions([PARIS] * places, 9).shape == (places, neighbors)
