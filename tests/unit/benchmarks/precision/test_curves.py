"""Precision against threshold from counts per scene."""

import numpy as np
import pytest
from benchmarks.precision.curves import (
    MIN_MATCHES,
    SceneCounts,
    count_above,
    fit,
    interval,
    precision,
    retained,
)

from tiepoint.matching.precision import SCORES

NUM = len(SCORES)


def counts(*scenes: tuple[list[int], list[int]]) -> SceneCounts:
    """Counts of scenes: matches and correct matches at the first thresholds, none above."""
    matches, correct = (
        np.array([scene[part] + [0] * (NUM - len(scene[part])) for scene in scenes]) for part in (0, 1)
    )
    return SceneCounts(matches=matches, correct=correct)


def test_scores_above_each_threshold() -> None:
    above = count_above(np.array([0.1, 0.11, 0.5, 0.999]))
    assert above[0] == 3, "0.1 itself is not above 0.1"
    assert above[SCORES.index(0.5)] == above[-1] == 1
    assert (np.diff(above) <= 0).all()


def test_scenes_have_the_same_weight_whatever_their_number_of_matches() -> None:
    values = precision(counts(([1000, 500], [900, 500]), ([10, 5], [5, 5])))
    assert values[0] == pytest.approx((0.9 + 0.5) / 2)
    assert values[1] == 1
    assert np.isnan(values[2])


def test_a_scene_counts_by_the_fraction_of_its_matches_that_is_left() -> None:
    values = precision(counts(([100, 100], [100, 100]), ([100, 1], [0, 0])))
    assert values[1] == pytest.approx(100 / 101)


def test_drawing_a_scene_twice_equals_its_weight() -> None:
    both = counts(([10], [10]), ([10], [0]))
    assert precision(both, np.array([3.0, 1.0]))[0] == pytest.approx(0.75)


def test_retained_is_of_correct_matches() -> None:
    values = retained(counts(([100, 50], [80, 40]), ([10, 10], [10, 10]), ([5, 5], [0, 0])))
    assert values[:2] == pytest.approx([1, 0.75])


def test_the_interval_contains_the_precision_and_is_reproducible() -> None:
    scenes = counts(*(([100], [correct]) for correct in (50, 60, 70, 80, 90)))
    low, high = interval(scenes)[:, 0]
    assert 0.5 < low < precision(scenes)[0] < high < 0.9
    np.testing.assert_array_equal(interval(scenes)[:, 0], (low, high))


def test_a_fit_never_decreases_and_ends_where_there_are_few_matches() -> None:
    enough = MIN_MATCHES // 4
    matches = [4 * enough, 3 * enough, 2 * enough, enough, enough - 1]
    right = [2 * enough, 3 * enough, enough, enough, enough - 1]
    assert fit(counts(*[(matches, right)] * 4)) == [0.5, 0.5, 0.5, 1]


def test_a_fit_needs_several_scenes() -> None:
    assert fit(counts(*[([1000], [900])] * 3)) == []
