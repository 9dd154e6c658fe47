"""Matching only the highest-scoring keypoints: selection, and original indices."""

from dataclasses import replace

import pytest
import torch
from tests.helpers.match_results import some_features, some_matches

from tiepoint.matching.top_k import select_top_k, to_original


def test_the_highest_scores_stay_in_their_order() -> None:
    features = replace(some_features(5, (40, 30)), scores=torch.tensor([0.1, 0.9, 0.5, 0.9, 0.7]))
    selected, indices = select_top_k(features, 3)
    assert indices.tolist() == [1, 3, 4]
    assert torch.equal(selected.keypoints, features.keypoints[indices])
    assert torch.equal(selected.descriptors, features.descriptors[indices])
    assert (selected.scales, selected.kind) == (None, features.kind)


def test_features_of_an_extractor_are_ranked() -> None:
    features = replace(some_features(3, (40, 30)), scores=torch.tensor([0.5, 0.6, 0.7]), fingerprint="f")
    assert select_top_k(features, 2)[1].tolist() == [0, 1]


def test_ties_go_to_the_lower_index() -> None:
    features = replace(some_features(4, (40, 30)), scores=torch.ones(4))
    assert select_top_k(features, 2)[1].tolist() == [0, 1]


@pytest.mark.parametrize("count", [5, 9])
def test_enough_keypoints_are_not_copied(count: int) -> None:
    features = some_features(5, (40, 30))
    selected, indices = select_top_k(features, count)
    assert selected is features
    assert indices.tolist() == list(range(5))


def test_all_values_of_keypoints_are_selected() -> None:
    covariances = torch.arange(12.0).view(3, 2, 2)
    features = replace(
        some_features(3, (40, 30)),
        scales=torch.arange(3.0),
        orientations=torch.arange(3.0),
        covariances=covariances,
    )
    selected, _ = select_top_k(features, 2)
    assert selected.covariances is not None
    assert torch.equal(selected.covariances, covariances[:2])
    assert selected.scales is not None
    assert selected.scales.tolist() == [0, 1]


def test_matches_get_their_original_indices() -> None:
    pair = some_features(5, (40, 30)), some_features(4, (50, 20))
    found = replace(
        some_matches(2, 3, [[0, 2], [1, 0]], [0.5, 0.25]),
        matching_scores0=torch.tensor([0.5, 0.25]),
        prune0=torch.tensor([3, 4]),
    )
    whole = to_original(found, (torch.tensor([1, 4]), torch.tensor([0, 1, 3])), pair)
    assert whole.matches.tolist() == [[1, 3], [4, 0]]
    assert whole.scores.tolist() == [0.5, 0.25]
    assert whole.matching_scores0.tolist() == [0, 0.5, 0, 0, 0.25]
    assert whole.prune0.tolist() == [0, 3, 0, 0, 4]
    assert (len(whole.matching_scores1), len(whole.prune1)) == (4, 4)
    assert whole.layers_run == found.layers_run


def test_without_a_selection_it_is_the_same() -> None:
    pair = some_features(2, (40, 30)), some_features(3, (50, 20))
    found = some_matches(2, 3, [[0, 2]], [0.5])
    assert to_original(found, (torch.arange(2), torch.arange(3)), pair) is found


def test_no_matches_stay_none() -> None:
    pair = some_features(5, (40, 30)), some_features(3, (50, 20))
    whole = to_original(some_matches(1, 3, [], []), (torch.tensor([2]), torch.arange(3)), pair)
    assert whole.matches.shape == (0, 2)
