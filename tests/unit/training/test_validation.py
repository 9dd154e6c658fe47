"""Figures of matchers that are known to be right, wrong, or silent."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tests.helpers.synthetic_pairs import SHAPE, features

from tiepoint.training.data.homography_views import View
from tiepoint.training.initialization import random_network
from tiepoint.training.validation import (
    VALIDATION,
    HeldOutPair,
    nearest_matcher,
    validate,
    validate_network,
)
from tiepoint.types import Assignment, Features

PROTOCOL = VALIDATION["homography-512"]


class Fixed:
    """Gives the same index pairs, whatever it is asked."""

    fingerprint = "fixed"

    def __init__(self, matches: list[tuple[int, int]]) -> None:
        self.matches = torch.tensor(matches, dtype=torch.long).reshape(-1, 2)

    def match(self, pairs: Sequence[tuple[Features, Features]]) -> list[Assignment]:
        count = len(self.matches)
        zeros = torch.zeros(40)
        return [
            Assignment(
                matches=self.matches,
                scores=torch.ones(count),
                matching_scores0=zeros,
                matching_scores1=zeros,
                prune0=zeros.long(),
                prune1=zeros.long(),
                layers_run=3,
            )
        ] * len(pairs)


@pytest.fixture(scope="module")
def pair() -> HeldOutPair:
    """40 keypoints; view 0 is the photograph moved by (5, 3) px, view 1 is the photograph. 30 are seen in both."""
    random = torch.Generator().manual_seed(0)
    grid = torch.cartesian_prod(torch.arange(8.0), torch.arange(5.0)) * 30 + 20
    moved = grid.clone()
    moved[30:] += 15  # nowhere near any
    descriptors = torch.randn(40, 16, generator=random)
    shift = np.array([[1.0, 0, 5], [0, 1, 3], [0, 0, 1]])
    return HeldOutPair(
        View(features(grid - torch.tensor([5.0, 3.0]), descriptors), shift),
        View(features(moved, descriptors), np.eye(3)),
    )


def test_all_right_is_everything(pair: HeldOutPair) -> None:
    figures = validate(Fixed([(i, i) for i in range(30)]), [pair, pair], PROTOCOL)
    assert (figures.precision, figures.recall) == (1.0, 1.0)
    assert figures.auc > 0.99
    assert (figures.matches, figures.layers, figures.pairs) == (30, 3, 2)
    assert figures.seconds > 0


def test_wrong_matches_cost_precision_and_missing_ones_recall(pair: HeldOutPair) -> None:
    figures = validate(Fixed([(i, i) for i in range(15)] + [(15, 16), (16, 15), (35, 35)]), [pair], PROTOCOL)
    assert figures.precision == pytest.approx(15 / 18)
    assert figures.recall == pytest.approx(15 / 30)


def test_silence_is_nothing(pair: HeldOutPair) -> None:
    figures = validate(Fixed([]), [pair], PROTOCOL)
    assert (figures.precision, figures.recall, figures.auc, figures.matches) == (0.0, 0.0, 0.0, 0.0)


def test_without_a_possible_match_there_is_no_recall(pair: HeldOutPair) -> None:
    far = View(pair.view1.features, np.array([[1.0, 0, 1000], [0, 1, 0], [0, 0, 1]]))
    assert math.isnan(validate(Fixed([(0, 0)]), [HeldOutPair(pair.view0, far)], PROTOCOL).recall)


def test_nearest_neighbors_are_all_taken(pair: HeldOutPair) -> None:
    figures = validate(nearest_matcher(), [pair], PROTOCOL)
    assert figures.matches == 40
    assert figures.recall == 1.0


def test_a_network_stays_in_its_mode(pair: HeldOutPair) -> None:
    network = random_network(SHAPE, seed=0)
    for training in (True, False):
        network.train(training)
        validate_network(network, [pair], PROTOCOL)
        assert network.training is training


def test_a_network_that_learned_on_is_not_matched_with_its_old_weights(pair: HeldOutPair) -> None:
    network = random_network(SHAPE, seed=0)
    before = validate_network(network, [pair], PROTOCOL)
    with torch.no_grad():
        for parameter in network.log_assignment.parameters():
            parameter.mul_(100)
    assert validate_network(network, [pair], PROTOCOL).matches != before.matches


def test_the_protocol_of_the_goals_is_as_it_was() -> None:
    """A row is never changed; other settings are a new row."""
    assert PROTOCOL.views.views == 2
    assert (PROTOCOL.views.size, PROTOCOL.views.max_keypoints) == (512, 512)
    assert (PROTOCOL.max_error_px, PROTOCOL.filter_threshold) == (3.0, 0.1)
