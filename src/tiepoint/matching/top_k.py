"""Matching only the highest-scoring keypoints: selection before, original indices after."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from tiepoint.matching.inputs import FeaturePair
from tiepoint.types import Assignment, Features
from tiepoint.types.features import TENSORS


def select_top_k(features: Features, count: int) -> tuple[Features, Int[Tensor, "k"]]:
    """Select the keypoints with the highest scores; ties go to the lower index, and the order is kept.

    Features of an extractor, which have a fingerprint, are ranked: their first keypoints are those that the extractor
    outputs with fewer `max_keypoints`. (Their scores are interpolated after ranking, so they do not quite descend.)

    Args:
        features: Features of one image.
        count: Maximum number of keypoints.

    Returns:
        Features with the selected keypoints, and their indices on the CPU, ascending.
    """
    if len(features) <= count:
        return features, torch.arange(len(features), dtype=torch.int64, device="cpu")
    if features.fingerprint:
        indices = torch.arange(count, dtype=torch.int64, device=features.device)
    else:
        indices = features.scores.sort(descending=True, stable=True).indices[:count].sort().values
    return select_keypoints(features, indices), indices.cpu()


def select_keypoints(features: Features, indices: Int[Tensor, "k"]) -> Features:
    """Select keypoints by their indices, in this order.

    Args:
        features: Features of one image.
        indices: Indices of the keypoints, on the device of the features.
    """
    selected = {
        name: None if value is None else value[indices]
        for name in TENSORS
        for value in [getattr(features, name)]
    }
    return replace(features, **selected)


def to_original(
    assignment: Assignment, indices: tuple[Int[Tensor, "k"], Int[Tensor, "l"]], pair: FeaturePair
) -> Assignment:
    """Map an assignment of selected keypoints to all keypoints; those not selected have score and `prune` 0.

    Args:
        assignment: Assignment of the selected keypoints.
        indices: Indices of the selected keypoints of both images.
        pair: Features of both images with all keypoints.
    """
    if all(len(index) == len(features) for index, features in zip(indices, pair, strict=True)):
        return assignment
    index0, index1 = indices
    columns = [index[assignment.matches[:, side]] for side, index in enumerate(indices)]
    return replace(
        assignment,
        matches=torch.stack(columns, dim=1),
        matching_scores0=_scatter(assignment.matching_scores0, index0, len(pair[0])),
        matching_scores1=_scatter(assignment.matching_scores1, index1, len(pair[1])),
        prune0=_scatter(assignment.prune0, index0, len(pair[0])),
        prune1=_scatter(assignment.prune1, index1, len(pair[1])),
    )


def _scatter(values: Tensor, index: Int[Tensor, "k"], length: int) -> Tensor:
    return values.new_zeros(length).index_copy_(0, index, values)
