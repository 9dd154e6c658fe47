"""Ground-truth labels against a brute-force implementation."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tiepoint.geometry import ground_truth
from tiepoint.geometry.ground_truth import (
    IGNORED,
    UNMATCHED,
    ground_truth_from_homography,
    ground_truth_from_projections,
    ground_truth_matches,
    no_matches,
)

SHIFT = np.array([[1.0, 0, 10], [0, 1, 0], [0, 0, 1]])
PERSPECTIVE = np.array([[0.9, -0.2, 12], [0.15, 1.1, -8], [3e-4, -2e-4, 1]])
UNKNOWN = [math.nan, math.nan]


def random_keypoints(seed: int, count: int) -> Tensor:
    return 100 * torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def warp(point: list[float], H: np.ndarray) -> tuple[float, float]:
    x, y, w = H @ np.array([*point, 1.0])
    return x / w, y / w


def labels_by_hand(keypoints0: Tensor, keypoints1: Tensor, H: np.ndarray, max_px: float) -> list[list[int]]:
    """Apply the definition of the labels to each keypoint."""
    points0, points1 = keypoints0.tolist(), keypoints1.tolist()
    in_image1 = [[math.dist(warp(p, H), q) for q in points1] for p in points0]
    in_image0 = [[math.dist(p, warp(q, np.linalg.inv(H))) for q in points1] for p in points0]
    both = [
        [max(pair) for pair in zip(*rows, strict=True)] for rows in zip(in_image0, in_image1, strict=True)
    ]
    columns = list(zip(*both, strict=True))
    labels0, labels1 = [IGNORED] * len(points0), [IGNORED] * len(points1)
    for i, row in enumerate(both):
        j = row.index(min(row))
        if columns[j].index(min(columns[j])) == i and row[j] < max_px:
            labels0[i], labels1[j] = j, i
    for i, row in enumerate(in_image1):
        if min(row) >= max_px:
            labels0[i] = UNMATCHED
    for j, column in enumerate(zip(*in_image0, strict=True)):
        if min(column) >= max_px:
            labels1[j] = UNMATCHED
    return [labels0, labels1]


@pytest.mark.slow
@pytest.mark.parametrize("homography", [SHIFT, PERSPECTIVE], ids=["shift", "perspective"])
@pytest.mark.parametrize("seed", range(4))
def test_homography_labels_by_hand(homography: np.ndarray, seed: int):
    keypoints0, keypoints1 = random_keypoints(seed, 150), random_keypoints(seed + 100, 130)
    truth = ground_truth_from_homography(keypoints0, keypoints1, homography)
    expected = labels_by_hand(keypoints0, keypoints1, homography, 3.0)
    assert [truth.matches0.tolist(), truth.matches1.tolist()] == expected
    assert {UNMATCHED, IGNORED} < set(expected[0])
    assert max(expected[0]) >= 0


def test_matches_are_the_positive_labels():
    keypoints0, keypoints1 = random_keypoints(1, 200).float(), random_keypoints(2, 200).float()
    truth = ground_truth_from_homography(keypoints0, keypoints1, PERSPECTIVE)
    expected = ground_truth_matches(keypoints0.numpy(), keypoints1.numpy(), PERSPECTIVE)
    kept = torch.nonzero(truth.matches0 >= 0).squeeze(1)
    np.testing.assert_array_equal(torch.stack((kept, truth.matches0[kept]), 1).numpy(), expected)


def test_one_of_each_label():
    keypoints0 = torch.tensor([[0.0, 0], [1, 0], [50, 50], [0, 80]])
    keypoints1 = torch.tensor([[10.2, 0.0], [60, 54]])
    truth = ground_truth_from_homography(keypoints0, keypoints1, SHIFT)
    assert truth.matches0.tolist() == [0, IGNORED, UNMATCHED, UNMATCHED]
    assert truth.matches1.tolist() == [0, UNMATCHED]


def test_threshold_is_exclusive():
    truth = ground_truth_from_homography(torch.tensor([[0.0, 0]]), torch.tensor([[13.0, 0]]), SHIFT)
    assert (truth.matches0.item(), truth.matches1.item()) == (UNMATCHED, UNMATCHED)


def test_keypoint_at_infinity_is_unmatched():
    vanishing = np.array([[1.0, 0, 0], [0, 1, 0], [0.01, 0, 1]])
    truth = ground_truth_from_homography(torch.tensor([[-100.0, 0]]), torch.tensor([[0.0, 0]]), vanishing)
    assert truth.matches0.item() == UNMATCHED


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints(m: int, n: int):
    truth = ground_truth_from_homography(random_keypoints(0, m), random_keypoints(1, n), SHIFT)
    assert truth.matches0.tolist() == [UNMATCHED] * m
    assert truth.matches1.tolist() == [UNMATCHED] * n


class TestProjections:
    def test_between_the_thresholds_is_ignored(self):
        keypoints0 = torch.tensor([[0.0, 0], [0, 100], [0, 200]])
        keypoints1 = torch.tensor([[2.0, 0], [4, 100], [6, 200]])
        truth = ground_truth_from_projections(keypoints0, keypoints1, keypoints0, keypoints1)
        assert truth.matches0.tolist() == [0, IGNORED, UNMATCHED]
        assert truth.matches1.tolist() == [0, IGNORED, UNMATCHED]

    def test_match_needs_both_projections(self):
        keypoints = torch.tensor([[5.0, 5.0]])
        unknown = torch.tensor([UNKNOWN])
        truth = ground_truth_from_projections(keypoints, keypoints, keypoints, unknown)
        assert truth.matches0.item() == truth.matches1.item() == IGNORED

    def test_projection_outside_the_other_image_is_unmatched(self):
        keypoints = torch.tensor([[5.0, 5.0]])
        gone = torch.tensor([[math.inf, math.inf]])
        truth = ground_truth_from_projections(keypoints, keypoints, gone, torch.tensor([UNKNOWN]))
        assert truth.matches0.item() == UNMATCHED
        assert truth.matches1.item() == IGNORED

    def test_epipolar_lines_label_keypoints_of_unknown_projection(self):
        """Keypoint 0 matches 0; the only candidate of keypoint 1 is 0, which is taken; keypoint 2 has candidate 1."""
        keypoints = torch.tensor([[0.0, 0], [0, 50], [0, 90]])
        points = torch.tensor([[0.0, 0], UNKNOWN, UNKNOWN])
        possible = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
        truth = ground_truth_from_projections(keypoints, keypoints, points, points, possible=possible)
        assert truth.matches0.tolist() == [0, UNMATCHED, IGNORED]
        assert truth.matches1.tolist() == [0, IGNORED, UNMATCHED]


def test_no_matches():
    truth = no_matches(2, 3)
    assert truth.matches0.tolist() == [UNMATCHED] * 2
    assert truth.matches1.tolist() == [UNMATCHED] * 3


class TestMatches:
    KEYPOINTS0 = np.array([[0.0, 0], [10, 0], [20, 0], [50, 50]])
    KEYPOINTS1 = np.array([[10.5, 0], [1, 0], [0, 2], [24, 0]])

    def test_matches_are_mutual_nearest_neighbors(self) -> None:
        found = ground_truth_matches(self.KEYPOINTS0, self.KEYPOINTS1, np.eye(3), max_error_px=3)
        assert found.tolist() == [[0, 1], [1, 0]]  # (0, 2) is not the nearest, 20 to 24 is more than 3 px

    def test_error_is_the_larger_of_both_images(self) -> None:
        half = np.diag([0.5, 0.5, 1])
        points0, points1 = np.array([[0.0, 0]]), np.array([[2.0, 0]])
        assert len(ground_truth_matches(points0, points1, half, max_error_px=3)) == 0  # 2 px, and 4 px back
        assert len(ground_truth_matches(points0, points1, half, max_error_px=4.5)) == 1

    @pytest.mark.parametrize("block", [1, 7, 1024])
    def test_result_does_not_depend_on_the_block_size(
        self, block: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ground_truth, "BLOCK_SIZE", block)
        generator = np.random.default_rng(3)
        keypoints0 = generator.uniform(0, 60, (50, 2)).astype(np.float32)
        keypoints1 = generator.uniform(0, 60, (40, 2)).astype(np.float32)
        H = np.array([[1.1, 0.1, -4], [-0.05, 0.9, 3], [1e-4, 2e-4, 1]])
        found = ground_truth_matches(keypoints0, keypoints1, H, max_error_px=5)
        assert found.tolist() == matches_by_hand(keypoints0, keypoints1, H, 5)
        assert len(found) > 5

    def test_ties_go_to_the_lower_index_across_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ground_truth, "BLOCK_SIZE", 1)
        same = np.zeros((3, 2))
        assert ground_truth_matches(same, same, np.eye(3)).tolist() == [[0, 0]]


def matches_by_hand(
    points0: np.ndarray, points1: np.ndarray, H: np.ndarray, max_px: float
) -> list[list[int]]:
    """Compute the matches one pair at a time."""
    inverse = np.linalg.inv(H)

    def move(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
        x, y, w = matrix @ [*point, 1.0]
        return np.array([x / w, y / w])

    table = [
        [max(math.dist(move(H, p), q), math.dist(move(inverse, q), p)) for q in points1] for p in points0
    ]
    pairs = []
    for i, row in enumerate(table):
        j = row.index(min(row))
        column = [other[j] for other in table]
        if column.index(min(column)) == i and row[j] < max_px:
            pairs.append([i, j])
    return pairs
