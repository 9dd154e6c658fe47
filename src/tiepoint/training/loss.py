"""The training loss: assignments of every layer, token confidence, and distillation from a teacher."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.geometry.ground_truth import UNMATCHED
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.training import LayerOutput, LayerwiseLightGlue
from tiepoint.training.data.pairs import PairBatch, SoftTargets

POSITIVE_WEIGHT = 0.5
"""Weight of ground-truth matches; unmatched keypoints of both images have the rest."""

LOG_ZERO = -1e4
"""Finite replacement of log(0), since -inf would become NaN; its exponential is 0 in every floating-point type."""

LOSS_TERMS = ("total", "positive", "negative", "confidence", "distillation")
"""Terms of `TrainingLoss`, in order; see `LossTerms` and `distillation_loss`."""


class LossTerms(NamedTuple):
    """Loss terms, as means over the pairs of a batch, so that they average over batches of the same size.

    Attributes:
        total: The minimized loss.
        positive: Negative log-likelihood of the ground-truth matches, mean over layers.
        negative: Negative log-likelihood of the unmatched keypoints, mean over layers.
        confidence: Cross-entropy of the token confidence.
    """

    total: Float[Tensor, ""]
    positive: Float[Tensor, ""]
    negative: Float[Tensor, ""]
    confidence: Float[Tensor, ""]


def matching_loss(
    outputs: Sequence[LayerOutput],
    matches0: Int[Tensor, "b m"],
    matches1: Int[Tensor, "b n"],
    mask0: Bool[Tensor, "b m"],
    mask1: Bool[Tensor, "b n"],
) -> LossTerms:
    """Compute the loss of a batch against its ground truth, with deep supervision.

    Args:
        outputs: Outputs of every layer of `LayerwiseLightGlue`.
        matches0: For each keypoint of image 0, the index of its match in image 1, `UNMATCHED`, or `IGNORED` (padding too).
        matches1: For each keypoint of image 1, the index of its match in image 0, `UNMATCHED`, or `IGNORED` (padding too).
        mask0: True for keypoints of image 0, False for padding.
        mask1: True for keypoints of image 1, False for padding.

    Source: LightGlue (arXiv 2306.13643), equations 9 and 11; both terms of equation 11 halved.
    """
    likelihoods = [_log_likelihoods(output.log_assignment, matches0, matches1) for output in outputs]
    positive, negative = (-torch.stack(terms).mean() for terms in zip(*likelihoods, strict=True))
    confidence = _confidence_loss(outputs, mask0, mask1)
    total = POSITIVE_WEIGHT * positive + (1 - POSITIVE_WEIGHT) * negative + confidence
    return LossTerms(total, positive, negative, confidence)


def distillation_loss(
    outputs: Sequence[LayerOutput],
    soft_targets: SoftTargets,
    mask0: Bool[Tensor, "b m"],
    mask1: Bool[Tensor, "b n"],
) -> Float[Tensor, ""]:
    """Compute the distillation loss: cross-entropy between a teacher and every layer, in nats per keypoint.

    This is the negative log-likelihood of `matching_loss` with soft targets instead of labels. The targets of a keypoint
    sum to one, but the rows of an assignment do not, so the loss of a student that equals its teacher is not zero.

    Args:
        outputs: Outputs of every layer of the student.
        soft_targets: Assignment probabilities of the teacher for the same keypoints.
        mask0: True for keypoints of image 0, False for padding.
        mask1: True for keypoints of image 1, False for padding.

    Source: Hinton, Vinyals, Dean: "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, at temperature 1.
    """
    losses = []
    for output in outputs:
        rows, columns = output.log_assignment[:, :-1], output.log_assignment[:, :, :-1].transpose(1, 2)
        losses.append(_mean(_cross_entropy(rows, soft_targets.partners0, soft_targets.probabilities0), mask0))
        losses.append(
            _mean(_cross_entropy(columns, soft_targets.partners1, soft_targets.probabilities1), mask1)
        )
    return torch.stack(losses).mean()


class TrainingLoss(nn.Module):
    """The loss of a batch as a module, so that DistributedDataParallel can wrap it.

    Args:
        network: Trained network.
        teacher_weight: Weight of the distillation loss, in [0, 1]; the ground-truth loss has the rest.
        checkpointing: Recompute activations in the backward pass; see `LayerwiseLightGlue`.
        mixed_precision: Compute the layers in bfloat16; see `LayerwiseLightGlue`.
    """

    def __init__(
        self,
        network: LightGlue,
        *,
        teacher_weight: float = 0.0,
        checkpointing: bool = False,
        mixed_precision: bool = False,
    ) -> None:
        super().__init__()
        self.layers = LayerwiseLightGlue(
            network, checkpointing=checkpointing, mixed_precision=mixed_precision
        )
        self.teacher_weight = teacher_weight

    def forward(self, batch: PairBatch) -> Tensor:
        """Compute the loss terms in the order of `LOSS_TERMS`; the first one is minimized."""
        outputs = self.layers(*batch.inputs)
        terms = matching_loss(outputs, *batch.ground_truth)
        distillation = terms.total.new_zeros(())
        if batch.soft_targets is not None:
            distillation = distillation_loss(outputs, batch.soft_targets, batch.mask0, batch.mask1)
        total = (1 - self.teacher_weight) * terms.total + self.teacher_weight * distillation
        return torch.stack((total, terms.positive, terms.negative, terms.confidence, distillation))


def _log_likelihoods(log_assignment: Tensor, matches0: Tensor, matches1: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean log-likelihoods (b,) of matches and of unmatched keypoints; each image counts half."""
    pairs, none0, none1 = log_assignment[:, :-1], log_assignment[:, :-1, -1], log_assignment[:, -1, :-1]
    matched = pairs.gather(2, matches0.clamp(min=0)[:, :, None]).squeeze(2)
    positive = _pair_means(matched, matches0 >= 0)
    negative0 = _pair_means(none0, matches0 == UNMATCHED)
    negative1 = _pair_means(none1, matches1 == UNMATCHED)
    return positive, (negative0 + negative1) / 2


def _confidence_loss(outputs: Sequence[LayerOutput], mask0: Tensor, mask1: Tensor) -> Tensor:
    """Cross-entropy between token confidence and whether the last layer keeps the token's match."""
    last = outputs[-1].log_assignment.detach()
    losses = []
    for output in outputs[:-1]:
        assert output.confidence_logits0 is not None
        assert output.confidence_logits1 is not None
        current = output.log_assignment.detach()
        is_final0 = current[:, :-1].argmax(2) == last[:, :-1].argmax(2)
        is_final1 = current[:, :, :-1].argmax(1) == last[:, :, :-1].argmax(1)
        for logits, is_final, mask in (
            (output.confidence_logits0, is_final0, mask0),
            (output.confidence_logits1, is_final1, mask1),
        ):
            entropy = F.binary_cross_entropy_with_logits(logits, is_final.to(logits.dtype), reduction="none")
            losses.append(_mean(entropy, mask))
    return torch.stack(losses).mean() if losses else last.new_zeros(())


def _cross_entropy(log_probabilities: Tensor, partners: Tensor, probabilities: Tensor) -> Tensor:
    """Return the cross-entropy of each keypoint; no match (-1) is the last column."""
    predicted = log_probabilities.gather(2, partners.remainder(log_probabilities.shape[2]))
    return -(probabilities * predicted.clamp(min=LOG_ZERO)).sum(2)


def _mean(values: Tensor, selected: Tensor) -> Tensor:
    return _pair_means(values, selected).mean()


def _pair_means(values: Float[Tensor, "b k"], selected: Bool[Tensor, "b k"]) -> Float[Tensor, "b"]:
    """Return the mean of the selected values of each pair; 0 if there are none."""
    return values.where(selected, 0).sum(1) / selected.sum(1).clamp(min=1)
