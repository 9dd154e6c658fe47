"""What training lowers: wrong assignments of every layer, wrong confidence, and being of another mind than a teacher."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.lightglue.training import LayerOutput
from tiepoint.training.data.ground_truth import UNMATCHED
from tiepoint.training.data.pairs import SoftTargets

POSITIVE_WEIGHT = 0.5
"""Of the true matches; the unmatchable keypoints of both images share the rest."""

FAR_BELOW = -1e4
"""Stands for log 0 where -inf would become NaN; its exponential is 0 in every type."""


class LossTerms(NamedTuple):
    """Means over the pairs of a batch: so those of two batches of one size average to those of both together.

    `positive` and `negative` are mean negative log-likelihoods of the true matches and of the unmatchable keypoints,
    over all layers; `confidence` is the cross-entropy of token confidence. `total` is what is lowered.
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
    """The loss of a batch against its ground truth, with deep supervision.

    Args:
        outputs: of every layer, `LayerwiseLightGlue`.
        matches0: index of the true match in image 1, or `UNMATCHED`, or `IGNORED`, also for padding.
        matches1: likewise of image 1.
        mask0: True where a keypoint is real.
        mask1: likewise of image 1.

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
    """Cross-entropy of every layer's assignment against a teacher's probabilities, in nats a keypoint.

    It is the negative log-likelihood of `matching_loss` with soft targets in the place of labels. These sum to one for each
    keypoint, which an assignment's rows needn't; so it isn't zero for a student that equals its teacher.

    Args:
        outputs: of every layer of the student.
        soft_targets: of the same keypoints.
        mask0: True where a keypoint is real.
        mask1: likewise of image 1.

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


def _log_likelihoods(log_assignment: Tensor, matches0: Tensor, matches1: Tensor) -> tuple[Tensor, Tensor]:
    """Of the true matches, and of the unmatchable keypoints, each image counting half; (b,) both."""
    pairs, none0, none1 = log_assignment[:, :-1], log_assignment[:, :-1, -1], log_assignment[:, -1, :-1]
    of_matches = pairs.gather(2, matches0.clamp(min=0)[:, :, None]).squeeze(2)
    positive = _pair_means(of_matches, matches0 >= 0)
    negative0 = _pair_means(none0, matches0 == UNMATCHED)
    negative1 = _pair_means(none1, matches1 == UNMATCHED)
    return positive, (negative0 + negative1) / 2


def _confidence_loss(outputs: Sequence[LayerOutput], mask0: Tensor, mask1: Tensor) -> Tensor:
    """Cross-entropy between how sure a token says it is, and whether the last layer leaves its match as it is."""
    last = outputs[-1].log_assignment.detach()
    losses = []
    for output in outputs[:-1]:
        assert output.confidence_logits0 is not None
        assert output.confidence_logits1 is not None
        now = output.log_assignment.detach()
        stays0 = now[:, :-1].argmax(2) == last[:, :-1].argmax(2)
        stays1 = now[:, :, :-1].argmax(1) == last[:, :, :-1].argmax(1)
        for logits, stays, mask in (
            (output.confidence_logits0, stays0, mask0),
            (output.confidence_logits1, stays1, mask1),
        ):
            entropy = F.binary_cross_entropy_with_logits(logits, stays.to(logits.dtype), reduction="none")
            losses.append(_mean(entropy, mask))
    return torch.stack(losses).mean() if losses else last.new_zeros(())


def _cross_entropy(log_probabilities: Tensor, partners: Tensor, probabilities: Tensor) -> Tensor:
    """Of each keypoint; having no partner, -1, stands in the last column."""
    said = log_probabilities.gather(2, partners.remainder(log_probabilities.shape[2]))
    return -(probabilities * said.clamp(min=FAR_BELOW)).sum(2)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return _pair_means(values, chosen).mean()


def _pair_means(values: Float[Tensor, "b k"], chosen: Bool[Tensor, "b k"]) -> Float[Tensor, "b"]:
    """Mean of the chosen values of each pair; 0 where there are none."""
    return values.where(chosen, 0).sum(1) / chosen.sum(1).clamp(min=1)
