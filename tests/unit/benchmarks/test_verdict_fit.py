"""The logistic fit of the verdict, and the figures that say how good its probabilities are."""

import numpy as np
import pytest

from verdict_fit import area, balanced, brier, fit_logistic, reliability, roc, sigmoid


def observations(count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Two columns of different size, and labels drawn with known probabilities."""
    rng = np.random.default_rng(0)
    columns = rng.normal((3, 100), (1, 20), (count, 2))
    return columns, rng.uniform(size=count) < sigmoid(-4 + 2 * columns[:, 0] - 0.02 * columns[:, 1])


def test_the_fit_finds_the_coefficients_that_labels_were_drawn_with() -> None:
    columns, labels = observations()
    assert fit_logistic(columns, labels, np.ones(len(labels))) == pytest.approx([-4, 2, -0.02], rel=0.1)


def test_weights_count_as_repetitions_do() -> None:
    columns, labels = observations(300)
    weights = np.where(labels, 3, 1)
    repeated = np.repeat(np.arange(300), weights)
    expected = fit_logistic(columns[repeated], labels[repeated], np.ones(len(repeated)))
    # the ridge is on columns of variance 1 over the rows, which repetition moves a little
    assert fit_logistic(columns, labels, weights.astype(float)) == pytest.approx(expected, rel=0.01)


def test_separable_pairs_have_a_finite_fit() -> None:
    columns = np.arange(20.0)[:, None]
    bias, weight = fit_logistic(columns, columns[:, 0] > 9, np.ones(20))
    assert 0 < weight < 10
    assert -bias / weight == pytest.approx(9.5)


def test_both_labels_count_half() -> None:
    labels = np.array([True, False, False, False])
    assert balanced(labels).tolist() == [2, *[pytest.approx(2 / 3)] * 3]


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    scores, labels = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    assert area(scores, labels) == pytest.approx(3.5 / 4)  # the tie is a half
    false, true = roc(scores, labels)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)


def test_brier_is_0_for_who_knows_and_a_quarter_for_who_says_one_half() -> None:
    labels = np.array([True, False, False])
    assert brier(labels.astype(float), labels) == 0
    assert brier(np.full(3, 0.5), labels) == 0.25


def test_bins_hold_what_was_said_and_what_was_so() -> None:
    said, labels = np.array([0.1, 0.2, 0.8, 1.0]), np.array([False, True, False, True])
    assert list(reliability(said, labels, (0, 0.5, 0.9, 1))) == [
        (pytest.approx(0.15), 0.5, 2),
        (0.8, 0.0, 1),
        (1.0, 1.0, 1),
    ]
