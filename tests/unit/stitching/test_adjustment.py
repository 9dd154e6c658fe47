"""Robust adjustment of a model with one parameter pair per image."""

import numpy as np
from tests.helpers.stitch_pairs import homography_pair

from tiepoint.stitching.adjustment import adjust, observe


class Shifts:
    """States are positions; images are shifted copies."""

    num_parameters = 2

    def updated(self, state: np.ndarray, step: np.ndarray) -> np.ndarray:
        return state + step

    def transferred(self, state0: np.ndarray, state1: np.ndarray, points: np.ndarray) -> np.ndarray:
        return points + (state0 - state1)[:, None]

    def prior(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(state), 2)), np.zeros((len(state), 2))


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def test_false_pairs_lose_their_weight() -> None:
    pairs = [
        homography_pair(shift(-160, 0), 0, 1),
        homography_pair(shift(-160, 16), 1, 2),
        homography_pair(shift(-320, 16), 0, 2),
        homography_pair(shift(64, -200), 0, 2, count=40),
    ]
    seen = observe(pairs, {0: 0, 1: 1, 2: 2}, [(640, 480)] * 3)
    is_free = np.array([[False] * 2, [True] * 2, [True] * 2])
    start = np.array([[0.0, 0], [0.45, 0.02], [0.95, 0]])
    found = adjust(Shifts(), start, seen, is_free)
    np.testing.assert_allclose(found, [[0, 0], [0.5, 0], [1, -0.05]], atol=1e-3)
