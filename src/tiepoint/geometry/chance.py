"""Support by chance: is a model, or the part of its support that no simpler model explains, more than a coincidence?

A contrario tests: `log_false_alarms` bounds the logarithm of the expected number of models with the same support in
random matches. Below 0, chance does not explain the support.

Source: Moisan and Stival, A probabilistic criterion to detect rigid point matches between two images and estimate the
fundamental matrix, IJCV 57 (2004); for matches of unequal probability, Hoeffding's inequality.
"""

import math

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.backends.base import Problem
from tiepoint.types import PLANAR_KINDS, Kind

# Maximum number of models of a minimal set
MAX_SOLUTIONS: dict[Kind, int] = {
    "similarity": 1,
    "affine": 1,
    "homography": 1,
    "fundamental": 3,
    "essential": 10,
    "pose": 10,
}

# Logarithm of the expected number of coincidences from which support is not attributed to chance: one in a hundred
MAX_LOG_FALSE_ALARMS = -4.6


def log_false_alarms(
    count: int, support: int, sample: int, probability: float, *, solutions: int = 1
) -> float:
    """Return the logarithm of the expected number of models with this support among random matches.

    Args:
        count: Number of matches.
        support: Number of matches that support the model, including the sample.
        sample: Number of matches that determine a model; they support it by construction.
        probability: Probability that another match supports a model by chance, averaged over the matches.
        solutions: Maximum number of models per sample.
    """
    if support <= sample:
        return math.inf
    samples = math.log(solutions) + _log_binomial(count, sample)
    return samples - (count - sample) * _divergence((support - sample) / (count - sample), probability)


def support_probability(kind: Kind, problem: Problem) -> float:
    """Return the probability that a random match supports a model: the relative area within the threshold.

    Args:
        kind: Type of model.
        problem: Matches and threshold; random matches have the bounding box of the points of image 1.
    """
    width, height = np.ptp(problem.points1, axis=0)
    if kind in PLANAR_KINDS:
        area = math.pi * problem.max_error_px**2
    else:  # a band along the epipolar line: the Sampson error distributes the distance over both images
        area = 2 * math.sqrt(2) * problem.max_error_px * math.hypot(width, height)
    return 1.0 if area >= width * height else float(area / (width * height))


def alignment_probability(errors: Float[np.ndarray, "k"], max_error_px: float) -> float:
    """Return the mean probability that errors in random directions are within the threshold across the epipolar line.

    Args:
        errors: Errors of the simpler model, without a direction, in px; at least `max_error_px`.
        max_error_px: Threshold of their component across the epipolar line.
    """
    if len(errors) == 0:
        return 1.0
    return float(np.mean(2 / math.pi * np.arcsin(np.minimum(1, max_error_px / errors))))


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _divergence(observed: float, expected: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli distributions; 0 if less is observed than expected."""
    if observed <= expected:
        return 0.0
    rest = 0.0 if observed == 1 else (1 - observed) * math.log((1 - observed) / (1 - expected))
    return observed * math.log(observed / expected) + rest
