"""Labels against the slowest way to find them: one keypoint at a time."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tiepoint.geometry.ground_truth import ground_truth_matches
from tiepoint.training.data.ground_truth import (
    IGNORED,
    UNMATCHED,
    matches_from_homography,
    matches_from_projections,
    nothing_matches,
)

SHIFT = np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]])
PERSPECTIVE = np.array([[0.9, -0.2, 12], [0.15, 1.1, -8], [3e-4, -2e-4, 1]])
UNKNOWN = [math.nan, math.nan]


def random_keypoints(seed: int, count: int) -> Tensor:
    return 100 * torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def warp(point: list[float], H: np.ndarray) -> tuple[float, float]:
    x, y, w = H @ np.array([*point, 1.0])
    return x / w, y / w


def labels_by_hand(keypoints0: Tensor, keypoints1: Tensor, H: np.ndarray, limit: float) -> list[list[int]]:
    """The definition, for one keypoint after the other."""
    places0, places1 = keypoints0.tolist(), keypoints1.tolist()
    in_image1 = [[math.dist(warp(p, H), q) for q in places1] for p in places0]
    in_image0 = [[math.dist(p, warp(q, np.linalg.inv(H))) for q in places1] for p in places0]
    both = [
        [max(pair) for pair in zip(*rows, strict=True)] for rows in zip(in_image0, in_image1, strict=True)
    ]
    columns = list(zip(*both, strict=True))
    labels0, labels1 = [IGNORED] * len(places0), [IGNORED] * len(places1)
    for i, row in enumerate(both):
        j = row.index(min(row))
        if columns[j].index(min(columns[j])) == i and row[j] < limit:
            labels0[i], labels1[j] = j, i
    for i, row in enumerate(in_image1):
        if min(row) >= limit:
            labels0[i] = UNMATCHED
    for j, column in enumerate(zip(*in_image0, strict=True)):
        if min(column) >= limit:
            labels1[j] = UNMATCHED
    return [labels0, labels1]


@pytest.mark.parametrize("homography", [SHIFT, PERSPECTIVE], ids=["shift", "perspective"])
@pytest.mark.parametrize("seed", range(4))
def test_homography_labels_are_those_of_the_definition(homography: np.ndarray, seed: int):
    keypoints0, keypoints1 = random_keypoints(seed, 150), random_keypoints(seed + 100, 130)
    truth = matches_from_homography(keypoints0, keypoints1, homography)
    expected = labels_by_hand(keypoints0, keypoints1, homography, 3.0)
    assert [truth.matches0.tolist(), truth.matches1.tolist()] == expected
    assert {UNMATCHED, IGNORED} < set(expected[0])
    assert max(expected[0]) >= 0


def test_positives_are_the_true_matches_of_the_metrics():
    keypoints0, keypoints1 = random_keypoints(1, 200).float(), random_keypoints(2, 200).float()
    truth = matches_from_homography(keypoints0, keypoints1, PERSPECTIVE)
    expected = ground_truth_matches(keypoints0.numpy(), keypoints1.numpy(), PERSPECTIVE)
    kept = torch.nonzero(truth.matches0 >= 0).squeeze(1)
    np.testing.assert_array_equal(torch.stack((kept, truth.matches0[kept]), 1).numpy(), expected)


def test_one_of_each_label():
    keypoints0 = torch.tensor([[0.0, 0], [1, 0], [50, 50], [0, 80]])
    keypoints1 = torch.tensor([[10.2, 0.0], [60, 54]])
    truth = matches_from_homography(keypoints0, keypoints1, SHIFT)
    assert truth.matches0.tolist() == [0, IGNORED, UNMATCHED, UNMATCHED]
    assert truth.matches1.tolist() == [0, UNMATCHED]


def test_exactly_at_the_limit_is_no_match():
    truth = matches_from_homography(torch.tensor([[0.0, 0]]), torch.tensor([[13.0, 0]]), SHIFT)
    assert (truth.matches0.item(), truth.matches1.item()) == (UNMATCHED, UNMATCHED)


def test_a_keypoint_on_the_horizon_has_no_match():
    horizon = np.array([[1.0, 0, 0], [0, 1, 0], [0.01, 0, 1]])
    truth = matches_from_homography(torch.tensor([[-100.0, 0]]), torch.tensor([[0.0, 0]]), horizon)
    assert truth.matches0.item() == UNMATCHED


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints(m: int, n: int):
    truth = matches_from_homography(random_keypoints(0, m), random_keypoints(1, n), SHIFT)
    assert truth.matches0.tolist() == [UNMATCHED] * m
    assert truth.matches1.tolist() == [UNMATCHED] * n


class TestProjections:
    def test_between_the_thresholds_is_ignored(self):
        keypoints0 = torch.tensor([[0.0, 0], [0, 100], [0, 200]])
        keypoints1 = torch.tensor([[2.0, 0], [4, 100], [6, 200]])
        truth = matches_from_projections(keypoints0, keypoints1, keypoints0, keypoints1)
        assert truth.matches0.tolist() == [0, IGNORED, UNMATCHED]
        assert truth.matches1.tolist() == [0, IGNORED, UNMATCHED]

    def test_a_match_needs_both_places(self):
        keypoints = torch.tensor([[5.0, 5.0]])
        unknown = torch.tensor([UNKNOWN])
        truth = matches_from_projections(keypoints, keypoints, keypoints, unknown)
        assert truth.matches0.item() == truth.matches1.item() == IGNORED

    def test_a_place_outside_the_other_image_is_no_match(self):
        keypoints = torch.tensor([[5.0, 5.0]])
        gone = torch.tensor([[math.inf, math.inf]])
        truth = matches_from_projections(keypoints, keypoints, gone, torch.tensor([UNKNOWN]))
        assert truth.matches0.item() == UNMATCHED
        assert truth.matches1.item() == IGNORED

    def test_epipolar_lines_decide_on_keypoints_of_unknown_place(self):
        """Keypoint 0 matches 0; keypoint 1 could only be 0, which is taken; keypoint 2 could be 1."""
        keypoints = torch.tensor([[0.0, 0], [0, 50], [0, 90]])
        places = torch.tensor([[0.0, 0], UNKNOWN, UNKNOWN])
        possible = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
        truth = matches_from_projections(keypoints, keypoints, places, places, possible=possible)
        assert truth.matches0.tolist() == [0, UNMATCHED, IGNORED]
        assert truth.matches1.tolist() == [0, IGNORED, UNMATCHED]


def test_nothing_matches():
    truth = nothing_matches(2, 3)
    assert truth.matches0.tolist() == [UNMATCHED] * 2
    assert truth.matches1.tolist() == [UNMATCHED] * 3
