"""From Features to what LightGlue takes, and from what a network says (Assignment) to Matches."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.models.lightglue.assignment import AssignmentTensors
from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.types import Assignment, Features


def as_positions(features: Features, *, oriented: bool) -> Float[Tensor, "n p"]:
    """(x, y) in the square of the longer side; `oriented`: then scale and orientation, which the features must have."""
    positions = normalize_keypoints(features.keypoints, features.keypoints.new_tensor(features.image_size))
    if not oriented:
        return positions
    assert features.scales is not None
    assert features.orientations is not None
    frame = torch.stack((features.scales, features.orientations), dim=1)
    return torch.cat((positions, frame.float()), dim=1)


def as_matches(
    assignment: AssignmentTensors, prune0: Int[Tensor, "m"], prune1: Int[Tensor, "n"], layers_run: int
) -> Assignment:
    """List the matches by rising index of image 0, and bring everything to the CPU."""
    matches0 = assignment.matches0.cpu()
    scores0, scores1 = assignment.matching_scores0.cpu(), assignment.matching_scores1.cpu()
    matched = (matches0 >= 0).nonzero().squeeze(1)
    return Assignment(
        matches=torch.stack((matched, matches0[matched]), dim=1),
        scores=scores0[matched],
        matching_scores0=scores0,
        matching_scores1=scores1,
        prune0=prune0.cpu(),
        prune1=prune1.cpu(),
        layers_run=layers_run,
    )
