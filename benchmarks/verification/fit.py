"""Logistic regression, and metrics of predicted probabilities."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

RIDGE = 1.0
"""Strength of the L2 penalty on the weights of standardized features; without it separable pairs have no finite fit."""

TOLERANCE = 1e-10
MAX_ITERATIONS = 100


class Bin(NamedTuple):
    """Pairs with similar predicted probabilities.

    Attributes:
        predicted: Mean of the predicted probabilities.
        observed: Fraction of the pairs that show the same scene.
        count: Number of pairs.
    """

    predicted: float
    observed: float
    count: int


def fit_logistic(
    features: Float[np.ndarray, "n c"], labels: Bool[np.ndarray, "n"], weights: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "c+1"]:
    """Fit a logistic regression with an L2 penalty on the weights of standardized features.

    Args:
        features: Feature vectors, one row per observation.
        labels: Labels of the observations.
        weights: Weights of the observations.

    Returns:
        Bias, then the weights of the features (not standardized).
    """
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    model = LogisticRegression(C=1 / RIDGE, solver="newton-cholesky", tol=TOLERANCE, max_iter=MAX_ITERATIONS)
    model.fit((features - mean) / deviation, labels, sample_weight=weights)
    scaled = model.coef_[0] / deviation
    return np.concatenate([model.intercept_ - scaled @ mean, scaled])


def balanced_weights(labels: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Return weights with the same total for both labels, and the total n."""
    return np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum())) * len(labels)


def roc(
    scores: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "t"], Float[np.ndarray, "t"]]:
    """Return false and true positive rates at descending thresholds, from (0, 0) to (1, 1)."""
    thresholds = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    is_above = scores[None] >= thresholds[:, None]
    return is_above[:, ~labels].mean(axis=1), is_above[:, labels].mean(axis=1)


def roc_auc(scores: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]) -> float:
    """Return the area under the ROC curve: the probability that a positive scores higher than a negative."""
    # in integers: a sum of fractions is rounded in another order by each machine
    differences = scores[labels][:, None] - scores[~labels][None]
    higher, equal = int((differences > 0).sum()), int((differences == 0).sum())
    return (2 * higher + equal) / (2 * differences.size)


def brier_score(predicted: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]) -> float:
    """Return the mean squared error of probabilities, balanced over both labels; a constant 0.5 has 0.25."""
    return float(np.average((predicted - labels) ** 2, weights=balanced_weights(labels)))


def reliability(
    predicted: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"], edges: tuple[float, ...]
) -> Iterator[Bin]:
    """Yield predicted against observed probabilities, balanced over both labels; empty bins are skipped."""
    weights = balanced_weights(labels)
    indices = np.digitize(predicted, edges[1:-1])
    for chosen in (indices == index for index in range(len(edges) - 1)):
        if chosen.any():
            yield Bin(
                float(np.average(predicted[chosen], weights=weights[chosen])),
                float(np.average(labels[chosen], weights=weights[chosen])),
                int(chosen.sum()),
            )
