"""From what a network says (Assignment) to what a matcher returns (Matches)."""

import torch
from jaxtyping import Int
from torch import Tensor

from tiepoint.networks.assignment import Assignment
from tiepoint.types import Matches


def as_matches(
    assignment: Assignment, survived0: Int[Tensor, "m"], survived1: Int[Tensor, "n"], layers_run: int
) -> Matches:
    """List the matches by rising index of image 0, and bring everything to the CPU."""
    matches0 = assignment.matches0.cpu()
    scores0, scores1 = assignment.matching_scores0.cpu(), assignment.matching_scores1.cpu()
    matched = (matches0 >= 0).nonzero().squeeze(1)
    return Matches(
        matches=torch.stack((matched, matches0[matched]), dim=1),
        scores=scores0[matched],
        matching_scores0=scores0,
        matching_scores1=scores1,
        survived0=survived0.cpu(),
        survived1=survived1.cpu(),
        layers_run=layers_run,
    )
