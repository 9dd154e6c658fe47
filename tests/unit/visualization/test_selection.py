"""Lines are spread out over the image, the best of each part first, and outliers are visible."""

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.visualization.selection import MAX_LINES, MIN_SHARE, spread_out, spread_out_inliers

RANDOM = np.random.default_rng(0)


def test_all_are_selected_by_ascending_score_where_there_are_few() -> None:
    points, scores = RANDOM.uniform(0, 9, (4, 2)), np.array([0.5, 0.1, 0.9, 0.2])
    for max_lines in (None, 4, 10):
        assert spread_out(points, scores, max_lines).tolist() == [1, 3, 0, 2]
    assert spread_out(points, scores, 0).tolist() == []


def test_a_cluster_gets_few_of_the_lines() -> None:
    """1,000 of 1,100 matches in a corner of the image, with the highest scores."""
    cluster, others = RANDOM.uniform(0, 50, (1000, 2)), RANDOM.uniform(0, 1000, (100, 2))
    points = np.concatenate((cluster, others))
    chosen = spread_out(points, np.r_[np.ones(1000), np.full(100, 0.5)], MAX_LINES)
    assert len(set(chosen.tolist())) == MAX_LINES
    assert (chosen < 1000).sum() < 0.6 * MAX_LINES


def test_every_quarter_of_the_image_has_lines() -> None:
    points = RANDOM.uniform(0, 1000, (2000, 2))
    chosen = points[spread_out(points, RANDOM.random(2000), 60)]
    counts = np.histogram2d(*chosen.T, bins=2, range=[(0, 1000), (0, 1000)])[0]
    assert counts.min() >= 8


def test_the_best_of_each_part_is_selected() -> None:
    """Four groups of three: the best of each group."""
    points = np.repeat([[0.0, 0], [100, 0], [0, 100], [100, 100]], 3, axis=0)
    scores = np.tile([0.1, 0.9, 0.5], 4)
    assert sorted(spread_out(points, scores, 4).tolist()) == [1, 4, 7, 10]
    assert sorted(spread_out(points, scores, 8).tolist()) == [1, 2, 4, 5, 7, 8, 10, 11]


@pytest.mark.parametrize(
    "points",
    [np.full((50, 2), 3.0), np.c_[np.arange(50.0), np.zeros(50)], np.r_[np.zeros((49, 2)), [[1e9, 1e9]]]],
    ids=["one point", "a line", "an outlier far away"],
)
def test_degenerate_layouts(points: np.ndarray) -> None:
    assert len(set(spread_out(points, np.arange(50.0), 10).tolist())) == 10


def test_the_selection_is_reproducible() -> None:
    points, scores = RANDOM.uniform(0, 9, (200, 2)), np.ones(200)
    assert spread_out(points, scores, 20).tolist() == spread_out(points, scores, 20).tolist()


@pytest.mark.parametrize(
    ("inliers", "outliers", "max_lines", "drawn_outliers"),
    [
        (1520, 27, 60, 12),  # at least a fifth
        (500, 500, 60, 30),  # in proportion
        (10, 500, 60, 50),  # all inliers that there are
        (1000, 3, 60, 3),
        (1000, 0, 60, 0),
        (0, 1000, 60, 60),
        (20, 20, 60, 20),
        (300, 200, None, 200),
    ],
)
def test_outliers_are_visible(
    inliers: int, outliers: int, max_lines: int | None, drawn_outliers: int
) -> None:
    count = inliers + outliers
    is_inlier = RANDOM.permutation(count) < inliers
    points, scores = RANDOM.uniform(0, 1000, (count, 2)), RANDOM.random(count)
    chosen = spread_out_inliers(points, scores, is_inlier, max_lines)
    assert len(chosen) == min(count, max_lines or count)
    assert (~is_inlier[chosen]).sum() == drawn_outliers
    assert not is_inlier[chosen[:drawn_outliers]].any()  # inliers are on top
    if max_lines:
        share = MIN_SHARE * len(chosen)
        assert min(outliers, share) <= drawn_outliers <= max(len(chosen) - min(inliers, share), 20)


@pytest.mark.parametrize("select", [spread_out, lambda p, s, m: spread_out_inliers(p, s, s > 0.5, m)])
def test_a_negative_number_of_lines_is_refused(select) -> None:
    with pytest.raises(InvalidInput, match=r"max_lines: .*-1"):
        select(np.zeros((3, 2)), np.ones(3), -1)
