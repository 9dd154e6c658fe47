"""Metrics of matchers with known correct, wrong, or no matches."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.synthetic_pairs import METRICS, SHAPE, features

from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED, GroundTruth
from tiepoint.training.data.homographic_warps import Warp
from tiepoint.training.data.random_homography import HomographyConfig
from tiepoint.training.initialization import random_network
from tiepoint.training.validation import (
    VALIDATION_PROTOCOLS,
    HeldOutPair,
    LabeledPair,
    find_protocol,
    nearest_matcher,
    validate,
    validate_network,
    validation_digest,
)
from tiepoint.types import Assignment, Features

PROTOCOL = VALIDATION_PROTOCOLS["homography-512"]


class FixedMatcher:
    """Returns the same index pairs for every pair."""

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
    """40 keypoints, 30 of them in both warps; warp 0 is the image shifted by (5, 3) px, warp 1 is the image."""
    random = torch.Generator().manual_seed(0)
    grid = torch.cartesian_prod(torch.arange(8.0), torch.arange(5.0)) * 30 + 20
    moved = grid.clone()
    moved[30:] += 15  # far from all others
    descriptors = torch.randn(40, 16, generator=random)
    shift = np.array([[1.0, 0, 5], [0, 1, 3], [0, 0, 1]])
    return HeldOutPair(
        Warp(features(grid - torch.tensor([5.0, 3.0]), descriptors), shift),
        Warp(features(moved, descriptors), np.eye(3)),
    )


def test_correct_matches_have_full_precision_and_recall(pair: HeldOutPair) -> None:
    metrics = validate(FixedMatcher([(i, i) for i in range(30)]), [pair, pair], PROTOCOL)
    assert (metrics.precision, metrics.recall) == (1.0, 1.0)
    assert metrics.auc > 0.99
    assert (metrics.matches, metrics.layers, metrics.pairs) == (30, 3, 2)
    assert metrics.seconds > 0


def test_wrong_and_missing_matches(pair: HeldOutPair) -> None:
    metrics = validate(
        FixedMatcher([(i, i) for i in range(15)] + [(15, 16), (16, 15), (35, 35)]), [pair], PROTOCOL
    )
    assert metrics.precision == pytest.approx(15 / 18)
    assert metrics.recall == pytest.approx(15 / 30)


def test_no_matches_score_zero(pair: HeldOutPair) -> None:
    metrics = validate(FixedMatcher([]), [pair], PROTOCOL)
    assert (metrics.precision, metrics.recall, metrics.auc, metrics.matches) == (0.0, 0.0, 0.0, 0.0)


def test_recall_is_undefined_without_ground_truth_matches(pair: HeldOutPair) -> None:
    far = Warp(pair.warp1.features, np.array([[1.0, 0, 1000], [0, 1, 0], [0, 0, 1]]))
    assert math.isnan(validate(FixedMatcher([(0, 0)]), [HeldOutPair(pair.warp0, far)], PROTOCOL).recall)


def test_nearest_neighbors_are_not_filtered(pair: HeldOutPair) -> None:
    metrics = validate(nearest_matcher(), [pair], PROTOCOL)
    assert metrics.matches == 40
    assert metrics.recall == 1.0


def test_mode_of_the_network_is_restored(pair: HeldOutPair) -> None:
    network = random_network(SHAPE, seed=0)
    for training in (True, False):
        network.train(training)
        validate_network(network, [pair], PROTOCOL)
        assert network.training is training


def test_updated_weights_are_used(pair: HeldOutPair) -> None:
    network = random_network(SHAPE, seed=0)
    before = validate_network(network, [pair], PROTOCOL)
    with torch.no_grad():
        for parameter in network.log_assignment.parameters():
            parameter.mul_(100)
    assert validate_network(network, [pair], PROTOCOL).matches != before.matches


def test_protocol_is_frozen() -> None:
    """A protocol is never changed; other settings are a new row."""
    assert PROTOCOL.warps.per_image == 2
    assert (PROTOCOL.warps.resize, PROTOCOL.warps.max_keypoints) == (512, 512)
    assert (PROTOCOL.max_error_px, PROTOCOL.filter_threshold) == (3.0, 0.1)


@pytest.mark.parametrize(
    ("angle", "name"),
    [
        (0.0, "homography-512"),
        (90.0, "homography-512"),
        (91.0, "homography-512-rotated"),
        (180.0, "homography-512-rotated"),
    ],
)
def test_rotated_training_is_validated_with_rotations(angle: float, name: str) -> None:
    protocol = find_protocol(HomographyConfig(max_angle_deg=angle))
    assert protocol is VALIDATION_PROTOCOLS[name]
    assert protocol.name == name


@pytest.mark.parametrize(
    ("precision", "recall", "f1"),
    [(1.0, 1.0, 1.0), (0.5, 1.0, 2 / 3), (0.0, 0.0, 0.0), (0.5, math.nan, 0.0), (0.9, 0.0, 0.0)],
)
def test_f1_is_the_harmonic_mean(precision: float, recall: float, f1: float) -> None:
    assert replace(METRICS, precision=precision, recall=recall).f1 == pytest.approx(f1)


def test_digest_tells_validations_apart(pair: HeldOutPair) -> None:
    rotated = VALIDATION_PROTOCOLS["homography-512-rotated"]
    swapped = HeldOutPair(pair.warp1, pair.warp0)
    digests = {
        validation_digest([pair], PROTOCOL),
        validation_digest([pair], rotated),
        validation_digest([swapped], PROTOCOL),
        validation_digest([pair, pair], PROTOCOL),
    }
    assert len(digests) == 4
    assert validation_digest([pair], PROTOCOL) in digests


def test_labels_are_the_ground_truth_without_a_homography(pair: HeldOutPair) -> None:
    """Of five matches, two are correct, one is wrong, one is between ignored keypoints, one from an unmatched keypoint."""
    labels0, labels1 = torch.full((40,), IGNORED), torch.full((40,), IGNORED)
    labels0[:4] = labels1[:4] = torch.arange(4)
    labels0[4] = UNMATCHED
    labeled = LabeledPair(pair.features, GroundTruth(labels0, labels1))
    metrics = validate(FixedMatcher([(0, 0), (1, 1), (2, 3), (4, 9), (20, 20)]), [labeled], PROTOCOL)
    assert (metrics.precision, metrics.recall) == (2 / 4, 2 / 4)
    assert math.isnan(metrics.auc)
    assert validation_digest([labeled], PROTOCOL) != validation_digest([pair], PROTOCOL)


def test_labeled_pairs_without_matches(pair: HeldOutPair) -> None:
    unknown = torch.full((40,), IGNORED)
    metrics = validate(
        FixedMatcher([]), [LabeledPair(pair.features, GroundTruth(unknown, unknown))], PROTOCOL
    )
    assert metrics.precision == 0
    assert math.isnan(metrics.recall)
