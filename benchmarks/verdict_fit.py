"""Fit a logistic model, and say how good probabilities are. NumPy only."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

RIDGE = 1.0
"""Pull of each weight toward 0, in observations: without it, pairs that a line can tell apart have no best fit."""

STEPS = 25
"""Of Newton; the change is below 1e-12 after about ten."""


class Bin(NamedTuple):
    """Pairs of which similar probabilities were said: the mean of these, the share that match, how many there are."""

    said: float
    share: float
    count: int


def fit_logistic(
    columns: Float[np.ndarray, "n c"], labels: Bool[np.ndarray, "n"], weights: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "c+1"]:
    """Bias and weights that make the labels most probable, with a ridge on columns of variance 1.

    Args:
        columns: one row an observation.
        labels: what is to be foretold.
        weights: how much each observation counts.
    """
    mean, deviation = columns.mean(axis=0), columns.std(axis=0)
    design = np.column_stack([np.ones(len(columns)), (columns - mean) / deviation])
    ridge = np.diag([0.0] + [RIDGE] * columns.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(STEPS):
        said = sigmoid(design @ solution)
        slope = design.T @ (weights * (said - labels)) + ridge @ solution
        curvature = (design * (weights * said * (1 - said))[:, None]).T @ design + ridge
        solution -= np.linalg.solve(curvature, slope)
    scaled = solution[1:] / deviation
    return np.concatenate([[solution[0] - scaled @ mean], scaled])


def sigmoid(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-values))


def balanced(labels: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Weights with which both labels count half, and all together count n."""
    return np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum())) * len(labels)


def roc(
    scores: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "t"], Float[np.ndarray, "t"]]:
    """Share of the false and of the true that score at least each threshold, from (0, 0) to (1, 1)."""
    thresholds = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    above = scores[None] >= thresholds[:, None]
    return above[:, ~labels].mean(axis=1), above[:, labels].mean(axis=1)


def area(scores: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]) -> float:
    """Under the ROC: the probability that a pair that matches scores higher than one that doesn't; ties are halves."""
    false, true = roc(scores, labels)
    return float(np.diff(false) @ (true[1:] + true[:-1])) / 2


def brier(said: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"]) -> float:
    """Mean squared error of probabilities, both labels counting half; 0.25 for who always says one half."""
    return float(np.average((said - labels) ** 2, weights=balanced(labels)))


def reliability(
    said: Float[np.ndarray, "n"], labels: Bool[np.ndarray, "n"], edges: tuple[float, ...]
) -> Iterator[Bin]:
    """What was said against what was so, both labels counting half; bins without a pair are left out."""
    weights = balanced(labels)
    place = np.digitize(said, edges[1:-1])
    for chosen in (place == number for number in range(len(edges) - 1)):
        if chosen.any():
            share = np.average(labels[chosen], weights=weights[chosen])
            yield Bin(
                float(np.average(said[chosen], weights=weights[chosen])), float(share), int(chosen.sum())
            )
