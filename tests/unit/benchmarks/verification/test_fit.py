"""The logistic fit of pair verification, and metrics of predicted probabilities."""

import numpy as np
import pytest
from benchmarks.records import read_record
from benchmarks.verification.fit import (
    balanced_weights,
    brier_score,
    fit_logistic,
    reliability,
    roc,
    roc_auc,
)
from benchmarks.verification.fitted import FITTED
from benchmarks.verification.measure import NUM_DECIMALS
from benchmarks.verification.predictions import read_statistics
from tests.helpers.paths import RECORDS

from tiepoint.geometry.pair_verification import feature_vector


def observations(count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Return two features of different scale, and labels drawn with known probabilities."""
    rng = np.random.default_rng(0)
    features = rng.normal((3, 100), (1, 20), (count, 2))
    logits = -4 + 2 * features[:, 0] - 0.02 * features[:, 1]
    return features, rng.uniform(size=count) < 1 / (1 + np.exp(-logits))


@pytest.mark.slow
def test_fit_recovers_the_coefficients() -> None:
    features, labels = observations()
    assert fit_logistic(features, labels, np.ones(len(labels))) == pytest.approx([-4, 2, -0.02], rel=0.1)


def test_weights_are_equivalent_to_repetitions() -> None:
    features, labels = observations(300)
    weights = np.where(labels, 3, 1)
    repeated = np.repeat(np.arange(300), weights)
    expected = fit_logistic(features[repeated], labels[repeated], np.ones(len(repeated)))
    # the penalty is on standardized features, whose variance is slightly changed by repetition
    assert fit_logistic(features, labels, weights.astype(float)) == pytest.approx(expected, rel=0.01)


def test_separable_pairs_have_a_finite_fit() -> None:
    features = np.arange(20.0)[:, None]
    bias, weight = fit_logistic(features, features[:, 0] > 9, np.ones(20))
    assert 0 < weight < 10
    assert -bias / weight == pytest.approx(9.5)


@pytest.mark.parametrize("row", FITTED)
def test_fit_of_the_record_is_reproduced(row: str) -> None:
    record = read_record(RECORDS, "verification.json")
    assert record is not None
    pairs, fitted = record["pairs"], FITTED[row]
    rows = [
        (feature_vector(statistics), pairs["same"][pair])
        for group in record["observations"]
        if group["preset"] == fitted.preset
        for pair, statistics in zip(group["pairs"], read_statistics(group), strict=True)
        if pairs["half"][pair] == fitted.half and statistics.num_matches
    ]
    features, labels = (np.array(column) for column in zip(*rows, strict=True))
    coefficients = fit_logistic(features, labels, balanced_weights(labels))
    expected = record["models"][row]
    assert coefficients == pytest.approx(expected, abs=1.5 * 10**-NUM_DECIMALS)


def test_both_labels_have_the_same_total_weight() -> None:
    labels = np.array([True, False, False, False])
    assert balanced_weights(labels).tolist() == [2, *[pytest.approx(2 / 3)] * 3]


def test_auc_is_the_fraction_of_correctly_ranked_pairs() -> None:
    scores, labels = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])
    assert roc_auc(scores, labels) == pytest.approx(3.5 / 4)  # a tie counts half
    false, true = roc(scores, labels)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)


def test_brier_score_of_perfect_and_of_constant_predictions() -> None:
    labels = np.array([True, False, False])
    assert brier_score(labels.astype(float), labels) == 0
    assert brier_score(np.full(3, 0.5), labels) == 0.25


def test_bins_have_predicted_and_observed_probabilities() -> None:
    predicted, labels = np.array([0.1, 0.2, 0.8, 1.0]), np.array([False, True, False, True])
    assert list(reliability(predicted, labels, (0, 0.5, 0.9, 1))) == [
        (pytest.approx(0.15), 0.5, 2),
        (0.8, 0.0, 1),
        (1.0, 1.0, 1),
    ]
