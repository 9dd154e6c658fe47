"""Pooling: the matches of several pairs of views as those of one pair of images, without duplicates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.matching.top_k import select_keypoints
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.types import Assignment, Features
from tiepoint.types.features import TENSORS


def pool(matches: Sequence[ViewMatch], radius0: float, radius1: float) -> ViewMatch:
    """Pool the matches of several pairs of views of the same images.

    A match is a duplicate if either of its points is near the same image's point of a match of an earlier pair: two
    different matches of the same point would contradict each other.

    Args:
        matches: Matches by descending quality; all keypoints of the first are kept, and of the others the matched ones.
        radius0: Distance in px of image 0 up to which points are the same.
        radius1: Distance in px of image 1.
    """
    first = matches[0]
    points0, points1 = first.correspondences.points0, first.correspondences.points1
    kept: list[ViewMatch] = [first]
    for match in matches[1:]:
        own0, own1 = match.correspondences.points0, match.correspondences.points1
        is_new = ~(_is_near(own0, points0, radius0) | _is_near(own1, points1, radius1))
        kept.append(_select(match, is_new))
        points0, points1 = np.concatenate([points0, own0[is_new]]), np.concatenate([points1, own1[is_new]])
    counts0, counts1 = ([len(features) for features in _sides(kept, side)] for side in (0, 1))
    offsets = [
        torch.tensor([sum(counts0[:k]), sum(counts1[:k])], dtype=torch.int64, device="cpu")
        for k in range(len(kept))
    ]
    assignments = [match.assignment for match in kept]
    pooled = Assignment(
        matches=torch.cat([one.matches + offset for one, offset in zip(assignments, offsets, strict=True)]),
        **{
            name: torch.cat([getattr(one, name) for one in assignments])
            for name in ("scores", "matching_scores0", "matching_scores1", "prune0", "prune1")
        },
        layers_run=first.assignment.layers_run,
        stopped_by=first.assignment.stopped_by,
    )
    return replace(
        first,
        features0=_concatenate(_sides(kept, 0)),
        features1=_concatenate(_sides(kept, 1)),
        assignment=pooled,
        num_views=max(match.num_views for match in matches),
        is_pooled=True,
    )


def _sides(matches: Sequence[ViewMatch], side: int) -> list[Features]:
    return [match.features1 if side else match.features0 for match in matches]


def _select(match: ViewMatch, is_kept: Bool[np.ndarray, "k"]) -> ViewMatch:
    """Keep some matches, and only their keypoints."""
    assignment = match.assignment
    chosen = assignment.matches[torch.as_tensor(is_kept, dtype=torch.bool, device="cpu")]
    index0, index1 = chosen.unbind(dim=1)
    rows = torch.arange(len(chosen), dtype=torch.int64, device="cpu")
    return replace(
        match,
        features0=select_keypoints(match.features0, index0.to(match.features0.device)),
        features1=select_keypoints(match.features1, index1.to(match.features1.device)),
        assignment=replace(
            assignment,
            matches=torch.stack((rows, rows), dim=1),
            scores=assignment.scores[torch.as_tensor(is_kept, dtype=torch.bool, device="cpu")],
            matching_scores0=assignment.matching_scores0[index0],
            matching_scores1=assignment.matching_scores1[index1],
            prune0=assignment.prune0[index0],
            prune1=assignment.prune1[index1],
        ),
    )


def _concatenate(features: Sequence[Features]) -> Features:
    values: dict[str, Tensor | None] = {}
    for name in TENSORS:
        parts = [getattr(each, name) for each in features]
        values[name] = None if any(part is None for part in parts) else torch.cat(parts)
    return replace(features[0], **values, fingerprint=f"{features[0].fingerprint}-pooled")


def _is_near(
    points: Float[np.ndarray, "k 2"], known: Float[np.ndarray, "n 2"], radius: float
) -> Bool[np.ndarray, "k"]:
    """Return which points have a known one within the radius; by cells, so that only neighbors are compared."""
    cells: dict[tuple[int, int], list[int]] = {}
    for index, (x, y) in enumerate(np.floor(known / radius).astype(np.int64).tolist()):
        cells.setdefault((x, y), []).append(index)
    is_near = np.zeros(len(points), dtype=bool)
    for index, (x, y) in enumerate(np.floor(points / radius).astype(np.int64).tolist()):
        around = [cells.get((x + dx, y + dy), []) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        nearby = [neighbor for cell in around for neighbor in cell]
        distances = np.linalg.norm(known[nearby] - points[index], axis=1)
        is_near[index] = bool((distances <= radius).any())
    return is_near
