"""From a batch of pairs to what is lowered: the truth's loss, and where there are soft targets, distillation."""

import torch
from torch import Tensor, nn

from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.training import LayerwiseLightGlue
from tiepoint.training.data.pairs import PairBatch
from tiepoint.training.loss import distillation_loss, matching_loss

TERMS = ("total", "positive", "negative", "confidence", "distillation")
"""What `Objective` gives, in this order; see `LossTerms` and `distillation_loss`."""


class Objective(nn.Module):
    """The loss of a batch as a module, so that DDP can wrap it.

    Args:
        network: the student.
        teacher_weight: of the distillation loss, in [0, 1]; the truth's has the rest.
        checkpointing: see `LayerwiseLightGlue`.
        mixed_precision: see `LayerwiseLightGlue`.
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
        """The terms of the loss, in the order of `TERMS`; the first is to be lowered."""
        outputs = self.layers(*batch.inputs)
        terms = matching_loss(outputs, *batch.truth)
        distillation = terms.total.new_zeros(())
        if batch.soft_targets is not None:
            distillation = distillation_loss(outputs, batch.soft_targets, batch.mask0, batch.mask1)
        total = (1 - self.teacher_weight) * terms.total + self.teacher_weight * distillation
        return torch.stack((total, terms.positive, terms.negative, terms.confidence, distillation))
