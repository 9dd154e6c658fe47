"""Pooling of the matches of several views: duplicates, indices, and what the features keep."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tiepoint.extraction.views import View
from tiepoint.matching.views.pooling import pool
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.types import Assignment, Features


def view_match(
    points: list[tuple[float, float]], shift: float = 0.0, unmatched: int = 1, **values: object
) -> ViewMatch:
    """Points of image 0 that match points 10 px to the right and `shift` px below in image 1, and unmatched keypoints."""
    keypoints0 = torch.tensor(points, dtype=torch.float32).reshape(-1, 2)
    keypoints0 = torch.cat([torch.full((unmatched, 2), 1.0), keypoints0])
    keypoints1 = keypoints0.flip(0) + torch.tensor([10.0, shift])
    count = len(points)
    rows = torch.arange(unmatched, unmatched + count)
    features = [
        Features(
            keypoints=keypoints,
            scores=torch.ones(len(keypoints)),
            descriptors=torch.ones(len(keypoints), 2),
            image_size=(200, 100),
            fingerprint="f",
        )
        for keypoints in (keypoints0, keypoints1)
    ]
    per_keypoint = torch.ones(unmatched + count)
    assignment = Assignment(
        matches=torch.stack((rows, len(keypoints0) - 1 - rows), dim=1),
        scores=torch.linspace(0.5, 1, count),
        matching_scores0=per_keypoint,
        matching_scores1=per_keypoint,
        prune0=per_keypoint.long(),
        prune1=per_keypoint.long(),
        layers_run=3,
        stopped_by="last_layer",
    )
    return ViewMatch(
        features0=features[0],
        features1=features[1],
        assignment=assignment,
        **values,  # type: ignore[arg-type]
    )


def pairs(match: ViewMatch) -> list[tuple[float, ...]]:
    both = match.correspondences
    return [(*p, *q) for p, q in zip(both.points0.tolist(), both.points1.tolist(), strict=True)]


def test_matches_of_all_views_are_kept_once() -> None:
    first = view_match([(20, 20), (50, 50)], view1=View(90), num_views=5)
    other = view_match([(20.5, 20.5), (80, 30)], num_views=3)
    pooled = pool([first, other], 2.0, 2.0)
    assert pairs(pooled) == [(20, 20, 30, 20), (50, 50, 60, 50), (80, 30, 90, 30)]
    assert (len(pooled.features0), len(pooled.features1)) == (3 + 1, 3 + 1)
    assert (pooled.num_views, pooled.view1, pooled.is_pooled, pooled.is_plain) == (5, View(90), True, False)
    assert pooled.features0.fingerprint == "f-pooled"
    assert pooled.assignment.layers_run == 3
    np.testing.assert_allclose(pooled.assignment.scores.numpy(), [0.5, 1, 1])


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_points_near_a_known_match_contradict_or_repeat_it(shift: float) -> None:
    pooled = pool([view_match([(20, 20)]), view_match([(21, 20)], shift)], 2.0, 2.0)
    assert pairs(pooled) == [(20, 20, 30, 20)]


def test_radii_are_those_of_each_image() -> None:
    first, other = view_match([(20, 20)]), view_match([(23, 20)])
    assert len(pairs(pool([first, other], 1.0, 1.0))) == 2
    assert len(pairs(pool([first, other], 4.0, 1.0))) == 1
    assert len(pairs(pool([first, other], 1.0, 4.0))) == 1


def test_views_without_matches_change_nothing() -> None:
    first = view_match([(20, 20)])
    pooled = pool([first, view_match([])], 2.0, 2.0)
    assert pairs(pooled) == pairs(first)
    assert pairs(pool([view_match([]), first], 2.0, 2.0)) == pairs(first)


def test_missing_scales_stay_missing() -> None:
    first, other = view_match([(20, 20)]), view_match([(50, 20)])
    with_scales = replace(first, features0=replace(first.features0, scales=torch.ones(2)))
    assert pool([with_scales, other], 2.0, 2.0).features0.scales is None
    both = [replace(one, features0=replace(one.features0, scales=torch.ones(2))) for one in (first, other)]
    assert pool(both, 2.0, 2.0).features0.scales is not None
