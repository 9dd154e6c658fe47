"""The assignment against its formula, and against a naive loop over pairs of keypoints."""

import math

import pytest
import torch
from torch import Tensor

from tiepoint.models.lightglue.assignment import (
    AssignmentTensors,
    log_assignment_matrix,
    mutual_matches,
    no_matches,
    streamed_matches,
)

NONE = float("-inf")


def random_inputs(m: int, n: int, *, seed: int = 0, dim: int = 8, batch: int | None = None) -> list[Tensor]:
    """Vectors of image 0 and 1, logits of image 0 and 1; in float64, so that rounding has no effect."""
    generator = torch.Generator().manual_seed(seed)
    leading = () if batch is None else (batch,)
    shapes = [(*leading, m, dim), (*leading, n, dim), (*leading, m), (*leading, n)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def log_sigmoid(z: float) -> float:
    return -math.log1p(math.exp(-z))


def log_scores_by_hand(vectors0: Tensor, vectors1: Tensor, logits0: Tensor, logits1: Tensor) -> Tensor:
    """Equation 7 of the paper for one pair of images, without the last row and column."""
    similarity = [
        [sum(a * b for a, b in zip(x, y, strict=True)) for y in vectors1.tolist()] for x in vectors0.tolist()
    ]
    by_row = [math.log(sum(map(math.exp, row))) for row in similarity]
    by_column = [math.log(sum(map(math.exp, column))) for column in zip(*similarity, strict=True)]
    scores = torch.empty(len(vectors0), len(vectors1), dtype=torch.float64)
    for i, z0 in enumerate(logits0.tolist()):
        for j, z1 in enumerate(logits1.tolist()):
            softmaxes = (similarity[i][j] - by_row[i]) + (similarity[i][j] - by_column[j])
            scores[i, j] = softmaxes + log_sigmoid(z0) + log_sigmoid(z1)
    return scores


def matches_by_hand(log_scores: Tensor, threshold: float) -> AssignmentTensors:
    """Filter the matches of one pair of images; ties go to the lower index, as with `list.index`."""
    rows = log_scores[:-1, :-1].tolist()
    columns = log_scores[:-1, :-1].T.tolist()
    best0 = [row.index(max(row)) for row in rows]
    best1 = [column.index(max(column)) for column in columns]
    found = AssignmentTensors(
        *(torch.full((len(best),), -1) for best in (best0, best1)),
        *map(torch.zeros, (len(best0), len(best1))),
    )
    for i, j in enumerate(best0):
        if best1[j] != i:
            continue
        score = math.exp(rows[i][j])
        found.matching_scores0[i] = found.matching_scores1[j] = score
        if score > threshold:
            found.matches0[i], found.matches1[j] = j, i
    return found


def assert_same(actual: AssignmentTensors, expected: AssignmentTensors) -> None:
    assert actual.matches0.tolist() == expected.matches0.tolist()
    assert actual.matches1.tolist() == expected.matches1.tolist()
    torch.testing.assert_close(actual.matching_scores0, expected.matching_scores0, check_dtype=False)
    torch.testing.assert_close(actual.matching_scores1, expected.matching_scores1, check_dtype=False)


def padded(tensor: Tensor, length: int, value: float) -> Tensor:
    """The tensor (1, k, …) with rows of `value` up to `length`."""
    filling = tensor.new_full((1, length - tensor.shape[1], *tensor.shape[2:]), value)
    return torch.cat([tensor, filling], dim=1)


class TestLogAssignmentMatrix:
    @pytest.mark.parametrize(("m", "n"), [(1, 1), (4, 4), (3, 7), (7, 3)])
    def test_is_the_double_softmax_times_both_matchabilities(self, m: int, n: int):
        inputs = random_inputs(m, n)
        actual = log_assignment_matrix(*(value[None] for value in inputs))[0]
        torch.testing.assert_close(actual[:-1, :-1], log_scores_by_hand(*inputs))

    def test_last_column_and_row_are_the_probability_of_no_match(self):
        inputs = random_inputs(5, 4)
        actual = log_assignment_matrix(*(value[None] for value in inputs))[0]
        assert actual[:-1, -1].tolist() == pytest.approx([log_sigmoid(-z) for z in inputs[2].tolist()])
        assert actual[-1, :-1].tolist() == pytest.approx([log_sigmoid(-z) for z in inputs[3].tolist()])

    def test_extreme_logits_stay_finite(self):
        vectors0, vectors1, _, _ = random_inputs(3, 3, batch=1)
        logits = torch.tensor([[-1e4, 0.0, 1e4]], dtype=torch.float64)
        assert bool(log_assignment_matrix(vectors0 * 1e3, vectors1, logits, logits).isfinite().all())

    def test_pairs_of_a_batch_are_independent(self):
        inputs = random_inputs(5, 6, batch=3)
        together = log_assignment_matrix(*inputs)
        for k in range(3):
            alone = log_assignment_matrix(*(value[k : k + 1] for value in inputs))
            torch.testing.assert_close(together[k : k + 1], alone)

    @pytest.mark.parametrize("filling", [0.0, 50.0])
    def test_padding_does_not_contribute(self, filling: float):
        inputs = random_inputs(4, 3, batch=1)
        lengths = (6, 8, 6, 8)
        mask0, mask1 = torch.arange(6)[None] < 4, torch.arange(8)[None] < 3
        wide = [padded(value, length, filling) for value, length in zip(inputs, lengths, strict=True)]
        actual, alone = log_assignment_matrix(*wide, mask0, mask1)[0], log_assignment_matrix(*inputs)[0]
        torch.testing.assert_close(actual[:4, :3], alone[:4, :3])
        torch.testing.assert_close(actual[:4, -1], alone[:4, -1])
        torch.testing.assert_close(actual[-1, :3], alone[-1, :3])
        assert bool((actual[4:-1] == NONE).all())
        assert bool((actual[:, 3:-1] == NONE).all())

    @pytest.mark.parametrize("real", [(3, 2), (0, 2), (3, 0), (0, 0)])
    def test_gradients_stay_finite_with_padding(self, real: tuple[int, int]):
        inputs = [value.requires_grad_() for value in random_inputs(3, 4, batch=1)]
        masks = [torch.arange(size)[None] < count for size, count in zip((3, 4), real, strict=True)]
        scores = log_assignment_matrix(*inputs, *masks)
        scores[scores.isfinite()].sum().backward()
        for value in inputs:
            assert value.grad is not None
            assert bool(value.grad.isfinite().all())

    @pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
    def test_no_keypoints(self, m: int, n: int):
        scores = log_assignment_matrix(*random_inputs(m, n, batch=2))
        assert scores.shape == (2, m + 1, n + 1)
        assert not bool(scores.isnan().any())


class TestMutualMatches:
    @pytest.mark.parametrize("seed", range(5))
    def test_are_the_maxima_of_row_and_column(self, seed: int):
        log_scores = log_assignment_matrix(*(value[None] for value in random_inputs(9, 7, seed=seed)))
        actual = AssignmentTensors(*(part[0] for part in mutual_matches(log_scores, 0.02)))
        assert_same(actual, matches_by_hand(log_scores[0], 0.02))
        assert 0 < int((actual.matches0 >= 0).sum()) < 7

    @pytest.mark.parametrize("seed", range(20))
    def test_ties_go_to_the_lower_index(self, seed: int):
        generator = torch.Generator().manual_seed(seed)
        log_scores = -torch.randint(0, 3, (8, 9), generator=generator).double()
        actual = AssignmentTensors(*(part[0] for part in mutual_matches(log_scores[None], 0.5)))
        assert_same(actual, matches_by_hand(log_scores, 0.5))

    def test_a_score_equal_to_the_threshold_is_no_match_but_is_returned(self):
        log_scores = torch.full((1, 2, 2), math.log(0.25), dtype=torch.float64)
        score = math.exp(math.log(0.25))
        at, below = mutual_matches(log_scores, score), mutual_matches(log_scores, score - 1e-9)
        assert (at.matches0.item(), at.matches1.item()) == (-1, -1)
        assert (below.matches0.item(), below.matches1.item()) == (0, 0)
        assert at.matching_scores0.item() == at.matching_scores1.item() == pytest.approx(0.25)

    def test_a_higher_unmatched_score_does_not_remove_a_match(self):
        log_scores = torch.log(torch.tensor([[[0.3, 0.9], [0.9, 1.0]]]))
        assert mutual_matches(log_scores, 0.1).matches0.tolist() == [[0]]

    @pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
    def test_no_keypoints(self, m: int, n: int):
        found = mutual_matches(torch.zeros(1, m + 1, n + 1), 0.1)
        assert found.matches0.tolist() == [[-1] * m]
        assert found.matches1.tolist() == [[-1] * n]
        assert found.matching_scores0.tolist() == [[0.0] * m]
        assert found.matching_scores1.tolist() == [[0.0] * n]


class TestStreamedMatches:
    @pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 9), (9, 1), (13, 8), (40, 60)])
    @pytest.mark.parametrize("block_elements", [1, 17, 1 << 20])
    def test_equal_those_of_the_whole_matrix(self, m: int, n: int, block_elements: int):
        inputs = random_inputs(m, n, seed=m + n)
        whole = mutual_matches(log_assignment_matrix(*(value[None] for value in inputs)), 0.01)
        streamed = streamed_matches(*inputs, 0.01, block_elements=block_elements)
        assert_same(streamed, AssignmentTensors(*(part[0] for part in whole)))

    def test_equal_keypoints_match_at_the_lowest_index(self):
        everything_equal = [torch.zeros(4, 8), torch.zeros(5, 8), torch.zeros(4), torch.zeros(5)]
        found = streamed_matches(*everything_equal, 0.001, block_elements=7)
        assert found.matches0.tolist() == [0, -1, -1, -1]
        assert found.matches1.tolist() == [0, -1, -1, -1, -1]
        # softmax over 5, softmax over 4, both matchabilities one half
        assert found.matching_scores0[0].item() == pytest.approx(1 / 5 * 1 / 4 * 1 / 4)

    def test_strong_similarities_do_not_overflow(self):
        identity = 1000 * torch.eye(6, 8)
        certain = torch.full((6,), 30.0)
        found = streamed_matches(identity, identity, certain, certain, 0.1, block_elements=6)
        assert found.matches0.tolist() == list(range(6))
        torch.testing.assert_close(found.matching_scores0, torch.ones(6))

    @pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
    def test_no_keypoints(self, m: int, n: int):
        assert_same(streamed_matches(*random_inputs(m, n), 0.1), no_matches((m,), (n,), torch.zeros(1)))


def test_no_matches_leaves_every_keypoint_unmatched():
    nothing = no_matches((2, 3), (2, 4), torch.zeros(1))
    assert nothing.matches0.tolist() == [[-1] * 3] * 2
    assert nothing.matches1.tolist() == [[-1] * 4] * 2
    assert nothing.matching_scores0.tolist() == [[0.0] * 3] * 2
    assert nothing.matching_scores1.tolist() == [[0.0] * 4] * 2
