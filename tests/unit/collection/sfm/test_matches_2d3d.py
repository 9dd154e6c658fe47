"""2D-3D correspondences: pair verification, false matches, models of other features."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.localization_scenes import QUERY, FixedFeaturesMatcher, Reconstructed, position_error
from tests.helpers.synthetic_collections import (
    PLAIN_NAMES,
)

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.localization import localize
from tiepoint.collection.sfm.matches_2d3d import MIN_PAIR_INLIERS, match_to_model, pair_inliers
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.errors import InvalidInput
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features


class RandomMatcher(FixedFeaturesMatcher):
    """Returns random matches with all registered images but one, as in a large model."""

    def match_features(self, pairs):
        seed = np.random.default_rng(0)
        results = super().match_features(pairs)
        return [
            result
            if result.features1.source.endswith("/e.jpg")
            else replace(
                result,
                matches=np.stack([result.matches[:, 0], seed.permutation(result.matches[:, 1])], axis=1),
            )
            for result in results
        ]


def test_false_matches_of_other_images_do_not_prevent_a_pose(
    reconstructed: Reconstructed, query: str
) -> None:
    """Without pair verification, 80 % of the 2D-3D correspondences would be false."""
    collection, scene = reconstructed
    found = localize(query, collection, matcher=RandomMatcher(scene.features(QUERY)))
    assert found.success
    assert found.neighbor == "e.jpg"
    assert found.num_inliers > 0.9 * len(found.points)
    assert position_error(found.position, reconstructed) < 0.02


def pair(matches: int, *, on_a_plane: bool) -> MatchResult:
    """Matches of points on a plane, or random matches."""
    generator = np.random.default_rng(0)
    points0, points1 = (generator.uniform(0, 1, (matches, 2)) * (1600, 1200) for _ in range(2))
    if on_a_plane:
        points1 = 1.1 * points0 + 20
    sides = [
        Features(
            keypoints=torch.from_numpy(points).float(),
            scores=torch.ones(matches),
            descriptors=torch.zeros(matches, 8),
            image_size=(4000, 3000),
        )
        for points in (points0, points1)
    ]
    some = torch.arange(matches)
    found = Assignment(
        matches=torch.stack([some, some], dim=1),
        scores=torch.ones(matches),
        matching_scores0=torch.ones(matches),
        matching_scores1=torch.ones(matches),
        layers_run=0,
        prune0=some,
        prune1=some,
    )
    return MatchResult.from_assignment(*sides, found)


@pytest.mark.parametrize("matches", [0, 6, 20, 60, 300, 1000])
def test_random_matches_are_not_verified(matches: int) -> None:
    assert not pair_inliers(pair(matches, on_a_plane=False)).any()


def test_planar_scene_is_verified_by_a_homography() -> None:
    assert pair_inliers(pair(MIN_PAIR_INLIERS, on_a_plane=True)).all()
    assert not pair_inliers(pair(MIN_PAIR_INLIERS - 1, on_a_plane=True)).any()


def fewer(features: Features) -> Features:
    names = ("keypoints", "scores", "descriptors")
    return replace(features, **{name: getattr(features, name)[:200] for name in names})


def in_another_order(features: Features) -> Features:
    names = ("keypoints", "scores", "descriptors")
    return replace(features, **{name: getattr(features, name).flip(0) for name in names})


def half_a_pixel_off(features: Features) -> Features:
    return replace(features, keypoints=features.keypoints + 0.5)


@pytest.mark.parametrize("change", [fewer, in_another_order, half_a_pixel_off])
def test_model_of_other_features_is_refused(
    reconstructed: Reconstructed,
    query: str,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Features], Features],
) -> None:
    collection, scene = reconstructed
    read = Collection.features
    monkeypatch.setattr(Collection, "features", lambda self, name: change(read(self, name)))
    with pytest.raises(InvalidInput, match="reconstruct again"):
        localize(query, collection, matcher=FixedFeaturesMatcher(scene.features(QUERY)))


def test_features_of_registered_images_are_read_once(
    reconstructed: Reconstructed, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, scene = reconstructed
    read, asked = Collection.features, []
    monkeypatch.setattr(Collection, "features", lambda self, name: asked.append(name) or read(self, name))
    match_to_model(
        scene.features(QUERY),
        collection,
        read_model(collection),
        FixedFeaturesMatcher(scene.features(QUERY)),
        None,
    )
    assert sorted(asked) == sorted(name for name in PLAIN_NAMES if name != QUERY)
