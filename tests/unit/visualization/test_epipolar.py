"""Epipolar lines: through the partners of the points, in their colors, cut at the borders of the image."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.visualization import draw_epipolar_lines
from tiepoint.visualization.colors import distinct
from tiepoint.visualization.epipolar import _farthest_points, clip_lines

RECTIFIED = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""F of a rectified pair: partners have the same y."""
SIZE = (100, 80)


def black(width: int = SIZE[0], height: int = SIZE[1]) -> Image:
    return read_image(np.zeros((height, width), np.uint8))


def drawn(
    points0: np.ndarray, points1: np.ndarray, fundamental: np.ndarray = RECTIFIED, **options
) -> np.ndarray:
    picture = draw_epipolar_lines(black(), black(), points0, points1, fundamental, caption="", **options)
    return np.asarray(picture).astype(int)


def unit(a: float, b: float, c: float) -> np.ndarray:
    return np.array([[a, b, c]]) / np.hypot(a, b)


class TestPicture:
    def test_lines_of_a_rectified_pair_are_rows(self) -> None:
        seen = drawn(np.array([[30.0, 20.0]]), np.array([[70.0, 60.0]]))
        lit = seen.max(axis=2) > 100
        assert lit[60, :100].all()  # in image 0 the line of the point in image 1 …
        assert lit[20, 100:].all()  # … and in image 1 the line of the point in image 0
        assert not lit[40].any()
        assert lit[20, 30]
        assert lit[60, 170]

    def test_a_line_stays_in_its_image(self) -> None:
        diagonal = np.array([[0.0, 0, 0], [0, 0, 0], [1, -1, 0]])  # all lines of image 0 are x = y
        seen = drawn(np.array([[30.0, 70.0]]), np.array([[70.0, 20.0]]), diagonal)
        assert seen[40, 40].max() > 100
        assert seen[:, 100:].max(axis=2)[:, [5, 40, 95]].max() == 0

    def test_a_point_and_the_line_of_its_partner_have_one_color(self) -> None:
        points = np.array([[10.0, 10.0], [50.0, 40.0], [90.0, 70.0]])
        seen = drawn(points, points)
        for (x, y), color in zip(points[_farthest_points(points, 3)].astype(int), distinct(3), strict=True):
            assert np.abs(seen[y, x] - color).max() < 30
            line = seen[y, 100 + (x + 30) % 100]
            assert line.argmax() == np.argmax(color)

    def test_so_many_points_are_spread_over_the_image(self) -> None:
        points = np.random.default_rng(0).uniform(0, 80, (200, 2))
        chosen = points[_farthest_points(points, 9)]
        distances = np.linalg.norm(chosen[:, None] - chosen, axis=2) + 1e9 * np.eye(9)
        assert distances.min() > 20
        assert len(_farthest_points(points[:5], 9)) == 5
        assert len(_farthest_points(points, 0)) == len(_farthest_points(points[:0], 9)) == 0

    def test_without_points_there_are_no_lines(self) -> None:
        assert drawn(np.zeros((0, 2)), np.zeros((0, 2))).max() == 0

    @pytest.mark.parametrize(
        ("fundamental", "text"),
        [
            (np.zeros((3, 4)), r"fundamental: expected a matrix of shape \(3, 3\), got .*\(3, 4\)"),
            (np.zeros((3, 3)), "fundamental: found NaN, infinite values or only zeros"),
            (np.full((3, 3), np.nan), "fundamental: found NaN"),
        ],
        ids=["shape", "zero", "nan"],
    )
    def test_a_wrong_matrix_is_named(self, fundamental: np.ndarray, text: str) -> None:
        with pytest.raises(InvalidInput, match=text):
            drawn(np.zeros((1, 2)), np.zeros((1, 2)), fundamental)

    def test_a_negative_number_of_lines_is_named(self) -> None:
        with pytest.raises(InvalidInput, match=r"max_lines: .*got -1"):
            drawn(np.zeros((1, 2)), np.zeros((1, 2)), max_lines=-1)


class TestClipping:
    @pytest.mark.parametrize(
        ("line", "ends"),
        [
            (unit(0, 1, -20), [(-0.5, 20), (99.5, 20)]),
            (unit(1, 0, -30), [(30, -0.5), (30, 79.5)]),
            (unit(1, -1, 0), [(-0.5, -0.5), (79.5, 79.5)]),
            (unit(1, 1, -10), [(-0.5, 10.5), (10.5, -0.5)]),
            (unit(0, -3, 3 * 79.4), [(-0.5, 79.4), (99.5, 79.4)]),
        ],
        ids=["row", "column", "diagonal", "corner", "last row"],
    )
    def test_known_lines(self, line: np.ndarray, ends: list[tuple[float, float]]) -> None:
        start, end, visible = clip_lines(line, SIZE)
        assert visible.all()
        np.testing.assert_allclose(sorted([*start, *end], key=tuple), sorted(ends), atol=1e-9)

    @pytest.mark.parametrize(
        "line",
        [unit(0, 1, 1), unit(1, 0, -100), unit(1, 1, 5), unit(1, 1, -1e9), np.full((1, 3), np.nan)],
        ids=["above", "right", "corner", "far", "none"],
    )
    def test_lines_that_miss_the_image(self, line: np.ndarray) -> None:
        assert not clip_lines(line, SIZE)[2].any()

    @given(x=st.floats(0, 99), y=st.floats(0, 79), angle=st.floats(0, np.pi))
    def test_a_line_through_a_point_of_the_image_is_seen_from_border_to_border(
        self, x: float, y: float, angle: float
    ) -> None:
        a, b = np.cos(angle), np.sin(angle)
        starts, ends, visible = clip_lines(np.array([[a, b, -a * x - b * y]]), SIZE)
        assert visible.all()
        for point in (starts[0], ends[0]):
            assert abs(a * (point[0] - x) + b * (point[1] - y)) < 1e-9
            margins = [point[0] + 0.5, 99.5 - point[0], point[1] + 0.5, 79.5 - point[1]]
            assert abs(min(margins)) < 1e-9
