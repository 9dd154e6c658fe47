"""The loss against values computed by hand, its gradients, and its invariance to padding."""

import math
from pathlib import Path

import pytest
import torch
from tests.helpers.synthetic_pairs import SHAPE, SyntheticPairs
from torch import Tensor

from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED
from tiepoint.models.lightglue.assignment import log_assignment_matrix
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.training import LayerOutput, LayerwiseLightGlue
from tiepoint.training.data.pairs import SoftTargets
from tiepoint.training.distillation import DistillationPairs, top_k_targets
from tiepoint.training.initialization import random_network
from tiepoint.training.loss import TrainingLoss, distillation_loss, matching_loss

REAL2 = torch.ones(1, 2, dtype=torch.bool)
MATRIX = torch.tensor([[[0.5, 0.1, 0.2], [0.3, 0.2, 0.6], [0.1, 0.7, 1.0]]]).log()
"""Log assignment of two keypoints per image; not necessarily one that a network can produce."""


def last(log_assignment: Tensor) -> LayerOutput:
    return LayerOutput(log_assignment, None, None)


def labels(*values: int) -> Tensor:
    return torch.tensor([values])


def random_scores(m: int, n: int, *, seed: int = 0, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, m, 6), (batch, n, 6), (batch, m), (batch, n)]
    return log_assignment_matrix(*(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes))


class TestMatchingLoss:
    def test_by_hand(self):
        terms = matching_loss([last(MATRIX)], labels(0, UNMATCHED), labels(0, UNMATCHED), REAL2, REAL2)
        positive = -math.log(0.5)
        negative = -(math.log(0.6) + math.log(0.7)) / 2
        assert terms.positive.item() == pytest.approx(positive)
        assert terms.negative.item() == pytest.approx(negative)
        assert terms.total.item() == pytest.approx(0.5 * positive + 0.5 * negative)
        assert terms.confidence.item() == 0

    def test_each_image_counts_half(self):
        terms = matching_loss([last(MATRIX)], labels(-1, -1), labels(IGNORED, -1), REAL2, REAL2)
        expected = -((math.log(0.2) + math.log(0.6)) / 2 + math.log(0.7)) / 2
        assert terms.negative.item() == pytest.approx(expected)

    def test_ignored_keypoints_do_not_contribute(self):
        terms = matching_loss([last(MATRIX)], labels(IGNORED, 0), labels(1, IGNORED), REAL2, REAL2)
        assert terms.positive.item() == pytest.approx(-math.log(0.3))
        assert terms.negative.item() == 0

    def test_no_labels_is_no_loss(self):
        scores = MATRIX.clone().requires_grad_()
        terms = matching_loss([last(scores)], labels(-2, -2), labels(-2, -2), REAL2, REAL2)
        terms.total.backward()
        assert terms.total.item() == 0
        assert scores.grad is not None
        assert not bool(scores.grad.any())

    def test_mean_over_layers_and_pairs(self):
        scores = [random_scores(4, 5, seed=seed, batch=2) for seed in (1, 2)]
        zeros0, zeros1 = torch.zeros(2, 4, dtype=torch.float64), torch.zeros(2, 5, dtype=torch.float64)
        outputs = [LayerOutput(scores[0], zeros0, zeros1), last(scores[1])]
        truth = (
            torch.tensor([[0, -1, 2, -2], [-1, 3, -2, 1]]),
            torch.tensor([[0, -1, 2, -2, -1], [-1, 3, -1, 1, -2]]),
        )
        masks = torch.ones(2, 4, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
        together = matching_loss(outputs, *truth, *masks)
        alone = [
            matching_loss([last(layer[k : k + 1])], *(x[k : k + 1] for x in (*truth, *masks)))
            for layer in scores
            for k in range(2)
        ]
        for name in ("positive", "negative"):
            mean = sum(getattr(terms, name) for terms in alone) / 4
            torch.testing.assert_close(getattr(together, name), mean)
        assert together.confidence.item() == pytest.approx(math.log(2))

    def test_confidence_target_is_agreement_with_the_last_layer(self):
        """Both matches of image 0 are final, one match of image 1 changes."""
        now = MATRIX.exp().clone()
        now[0, :2, 0] = torch.tensor([0.35, 0.4])  # its best row was 0
        now[0, 0, 2] = 0.3
        logits0, logits1 = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 1.5]])
        terms = matching_loss(
            [LayerOutput(now.log(), logits0, logits1), last(MATRIX)],
            labels(-2, -2),
            labels(-2, -2),
            REAL2,
            REAL2,
        )
        softplus = lambda x: math.log1p(math.exp(x))  # noqa: E731
        loss0 = (softplus(-2.0) + softplus(1.0)) / 2
        loss1 = (softplus(0.5) + softplus(-1.5)) / 2
        assert terms.confidence.item() == pytest.approx((loss0 + loss1) / 2)

    def test_gradient(self):
        generator = torch.Generator().manual_seed(0)
        inputs = [
            torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
            for shape in ((1, 3, 4), (1, 2, 4), (1, 3), (1, 2))
        ]
        mask0, mask1 = torch.tensor([[True, True, False]]), torch.tensor([[True, True]])

        def total(*values: Tensor) -> Tensor:
            scores = log_assignment_matrix(*values, mask0, mask1)
            return matching_loss([last(scores)], labels(1, -1, -2), labels(-1, 0), mask0, mask1).total

        assert torch.autograd.gradcheck(total, inputs)


def soft_targets_from(*scores: Tensor) -> SoftTargets:
    """Soft targets of a batch of log assignments of the same size."""
    return SoftTargets(*map(torch.stack, zip(*map(top_k_targets, scores), strict=True)))


class TestDistillationLoss:
    def test_by_hand(self):
        soft_targets = SoftTargets(
            partners0=torch.tensor([[[1, UNMATCHED], [0, 1]]]),
            probabilities0=torch.tensor([[[0.75, 0.25], [0.5, 0.25]]]),
            partners1=torch.tensor([[[UNMATCHED, 0], [1, 0]]]),
            probabilities1=torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]),
        )
        rows = -(0.75 * math.log(0.1) + 0.25 * math.log(0.2) + 0.5 * math.log(0.3) + 0.25 * math.log(0.2)) / 2
        columns = -(math.log(0.1) + 0.5 * math.log(0.2) + 0.5 * math.log(0.1)) / 2
        found = distillation_loss([last(MATRIX)], soft_targets, REAL2, REAL2)
        assert found.item() == pytest.approx((rows + columns) / 2, rel=1e-5)

    def test_certain_teacher_equals_ground_truth(self):
        """For matched keypoints, both losses are equal."""
        certain = torch.full((1, 3, 3), -50.0)
        certain[0, 0, 1] = certain[0, 1, 0] = 0
        truth = matching_loss([last(MATRIX)], labels(1, 0), labels(1, 0), REAL2, REAL2)
        taught = distillation_loss([last(MATRIX)], soft_targets_from(certain[0]), REAL2, REAL2)
        assert taught.item() == pytest.approx(truth.positive.item(), rel=1e-5)

    def test_loss_is_lower_closer_to_the_teacher(self):
        teacher = random_scores(5, 4).float()
        masks = torch.ones(1, 5, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)
        itself, another = (
            distillation_loss([last(scores)], soft_targets_from(teacher[0]), *masks).item()
            for scores in (teacher, random_scores(5, 4, seed=9).float())
        )
        assert itself < another - 0.01

    def test_gradient(self):
        student = random_scores(3, 3, seed=1).requires_grad_()
        soft_targets = soft_targets_from(random_scores(3, 3)[0])
        masks = (torch.ones(1, 3, dtype=torch.bool),) * 2
        assert torch.autograd.gradcheck(
            lambda x: distillation_loss([last(x)], soft_targets, *masks), [student]
        )


@pytest.fixture(scope="module")
def network() -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(LightGlueShape(input_dim=8, dim=16, layers=3, heads=2)).double()


def random_pair(m: int, n: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(m + n)
    shapes = [(1, m, 2), (1, m, 8), (1, n, 2), (1, n, 8)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def padded(tensor: Tensor, extra: int, value: float) -> Tensor:
    return torch.cat((tensor, tensor.new_full((1, extra, *tensor.shape[2:]), value)), dim=1)


def losses(network: LightGlue, inputs: list[Tensor], truth: tuple[Tensor, ...]) -> Tensor:
    outputs = LayerwiseLightGlue(network)(*inputs, *truth[2:])
    m, n = (int(mask.sum()) for mask in truth[2:])
    narrow = soft_targets_from(random_scores(m, n)[0])
    wide = SoftTargets(
        *(
            padded(x, mask.shape[1] - mask.sum(), 0)
            for x, mask in zip(narrow, (*truth[2:3] * 2, *truth[3:] * 2), strict=True)
        )
    )
    return torch.stack((*matching_loss(outputs, *truth), distillation_loss(outputs[:1], wide, *truth[2:])))


def test_padding_changes_neither_loss_nor_gradients(network: LightGlue):
    inputs = random_pair(4, 3)
    truth = labels(1, -1, -2, 2), labels(-1, 0, 3), *(torch.ones(1, k, dtype=torch.bool) for k in (4, 3))
    wide = [padded(x, extra, 7.0) for x, extra in zip(inputs, (2, 2, 5, 5), strict=True)]
    wide_truth = tuple(
        padded(x, extra, value) for x, extra, value in zip(truth, (2, 5, 2, 5), (-2, -2, 0, 0), strict=True)
    )
    found = []
    for batch in ((inputs, truth), (wide, wide_truth)):
        network.zero_grad()
        values = losses(network, *batch)
        values.sum().backward()
        found.append([values.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
    for alone, among_padding in zip(*found, strict=True):
        torch.testing.assert_close(among_padding, alone)


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints_is_no_loss(network: LightGlue, m: int, n: int):
    masks = [torch.ones(1, count, dtype=torch.bool) for count in (m, n)]
    values = losses(network, random_pair(m, n), (torch.full((1, m), -2), torch.full((1, n), -2), *masks))
    assert bool(values.isfinite().all())
    assert values[1:3].tolist() == [0, 0]


class TestTrainingLoss:
    def test_teacher_contributes_without_gradients(self, tmp_path: Path) -> None:
        teacher = random_network(SHAPE, seed=9).eval().requires_grad_(False)
        dataset = DistillationPairs(SyntheticPairs(), teacher, tmp_path)
        loss = TrainingLoss(random_network(SHAPE, seed=3), teacher_weight=0.5)
        total, *_, distance = loss(dataset.batch(range(3)))
        alone = TrainingLoss(random_network(SHAPE, seed=3))(SyntheticPairs().batch(range(3)))
        assert distance > 0
        assert alone[-1] == 0
        assert total.item() == pytest.approx((0.5 * alone[0] + 0.5 * distance).item(), rel=1e-5)
        total.backward()
        assert all(parameter.grad is None for parameter in teacher.parameters())

    def test_gradient_checkpointing_does_not_change_gradients(self) -> None:
        gradients = []
        for checkpointing in (False, True):
            network = random_network(SHAPE, seed=3).train()
            TrainingLoss(network, checkpointing=checkpointing)(SyntheticPairs().batch(range(3)))[0].backward()
            gradients.append({name: p.grad for name, p in network.named_parameters()})
        assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])

    def test_mixed_precision_is_close(self) -> None:
        exact, mixed = (
            TrainingLoss(random_network(SHAPE, seed=3), mixed_precision=on)(SyntheticPairs().batch(range(3)))
            for on in (False, True)
        )
        assert mixed.dtype == torch.float32
        assert mixed[0].item() == pytest.approx(exact[0].item(), rel=0.01)
