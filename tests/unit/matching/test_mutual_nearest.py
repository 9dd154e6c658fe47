"""Mutual nearest neighbors against a naive loop over the cosine similarities."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from tests.helpers.cost_models import FREE, FakeClock, costs
from torch import Tensor
from torch.nn.functional import normalize

from tiepoint.errors import InvalidInput
from tiepoint.matching.latency.budget import LatencyBudget
from tiepoint.matching.latency.cost_model import TokenCost
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.assignment import row_blocks
from tiepoint.types import Features


def features_of(descriptors: Tensor, kind: str = "") -> Features:
    count = len(descriptors)
    return Features(
        keypoints=torch.zeros(count, 2),
        scores=torch.ones(count),
        descriptors=descriptors,
        image_size=(10, 10),
        kind=kind,
    )


def random_features(count: int, seed: int, dim: int = 8) -> Features:
    vectors = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return features_of(normalize(vectors, dim=1))


def mutual_by_hand(features0: Features, features1: Features) -> dict[tuple[int, int], float]:
    cosines = (features0.descriptors.double() @ features1.descriptors.double().T).tolist()
    found = {}
    for i, row in enumerate(cosines):
        j = max(range(len(row)), key=row.__getitem__)
        if i == max(range(len(cosines)), key=lambda k: cosines[k][j]):
            found[i, j] = row[j]
    return found


@pytest.mark.parametrize(("m", "n"), [(30, 40), (40, 7), (1, 5), (1, 1)])
@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.7])
def test_matches_are_mutual_and_scored_by_their_cosine(m: int, n: int, threshold: float) -> None:
    pair = random_features(m, seed=m), random_features(n, seed=100 + n)
    (found,) = NearestMatcher(filter_threshold=threshold).match([pair])
    expected = {match: cosine for match, cosine in mutual_by_hand(*pair).items() if cosine > threshold}
    assert [tuple(match) for match in found.matches.tolist()] == sorted(expected)
    torch.testing.assert_close(found.scores.tolist(), [expected[match] for match in sorted(expected)])


def test_the_naive_loop_finds_matches() -> None:
    assert len(mutual_by_hand(random_features(30, seed=30), random_features(40, seed=140))) > 5


def test_scores_per_keypoint_include_those_below_the_threshold() -> None:
    pair = random_features(30, seed=1), random_features(40, seed=2)
    expected = mutual_by_hand(*pair)
    (found,) = NearestMatcher(filter_threshold=0.99).match([pair])
    assert len(found.matches) == 0
    assert found.matching_scores0.nonzero().squeeze(1).tolist() == sorted(i for i, _ in expected)
    assert found.matching_scores1.nonzero().squeeze(1).tolist() == sorted(j for _, j in expected)
    for (i, j), cosine in expected.items():
        assert found.matching_scores0[i] == found.matching_scores1[j] == pytest.approx(cosine, abs=1e-6)


def test_an_image_matches_itself() -> None:
    features = random_features(50, seed=3)
    (found,) = NearestMatcher(filter_threshold=0.9).match([(features, features)])
    assert found.matches.tolist() == [[k, k] for k in range(50)]
    torch.testing.assert_close(found.scores, torch.ones(50))


def test_descriptors_are_normalized() -> None:
    features0, features1 = random_features(20, seed=4), random_features(20, seed=5)
    longer = features_of(features1.descriptors * 7)
    (short,), (long,) = (NearestMatcher().match([(features0, other)]) for other in (features1, longer))
    assert torch.equal(short.matches, long.matches)
    torch.testing.assert_close(short.scores, long.scores)


def test_a_zero_descriptor_has_similarity_zero() -> None:
    (found,) = NearestMatcher(filter_threshold=0.1).match(
        [(features_of(torch.zeros(3, 8)), random_features(4, 6))]
    )
    assert len(found.matches) == 0
    assert torch.isfinite(found.matching_scores0).all()


@pytest.mark.parametrize(("m", "n"), [(0, 5), (5, 0), (0, 0)])
def test_no_keypoints_give_no_matches(m: int, n: int) -> None:
    (found,) = NearestMatcher().match([(random_features(m, 1), random_features(n, 2))])
    assert (found.matches.shape, found.scores.shape) == ((0, 2), (0,))
    assert (len(found.matching_scores0), len(found.matching_scores1)) == (m, n)
    assert (len(found.prune0), len(found.prune1), found.layers_run) == (m, n, 0)


def test_half_precision_descriptors_match_single_precision_ones() -> None:
    features0 = random_features(20, seed=7)
    stored = features_of(features0.descriptors.half())
    (found,) = NearestMatcher(filter_threshold=0.9).match([(stored, features0)])
    assert len(found.matches) == 20


def test_results_have_the_order_of_the_pairs() -> None:
    images = [random_features(count, seed=count) for count in (5, 9, 0, 12)]
    pairs = [(images[i], images[j]) for i in range(4) for j in range(4)]
    together = NearestMatcher().match(pairs)
    assert [(len(found.prune0), len(found.prune1)) for found in together] == [
        (len(a), len(b)) for a, b in pairs
    ]
    for pair, found in zip(pairs, together, strict=True):
        (alone,) = NearestMatcher().match([pair])
        assert torch.equal(found.matches, alone.matches)


def test_no_pairs_no_results() -> None:
    assert NearestMatcher().match([]) == []


def test_features_of_different_kinds_are_an_error() -> None:
    pair = features_of(torch.eye(3), kind="aliked@1"), features_of(torch.eye(3), kind="disk@2")
    with pytest.raises(InvalidInput, match="'aliked@1', got 'disk@2'"):
        NearestMatcher().match([pair])
    with pytest.raises(InvalidInput, match="'xfeat@3', got 'aliked@1'"):
        NearestMatcher(kind="xfeat@3").match([pair])


def test_descriptors_of_different_dimensions_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="128, got 64"):
        NearestMatcher().match([(random_features(3, 1, dim=128), random_features(3, 1, dim=64))])


def passes_by_hand(similarities: list[list[float]], max_ratio: float) -> dict[int, bool]:
    distances = [sorted((2 - 2 * cosine) ** 0.5 for cosine in row) for row in similarities]
    return {i: row[0] < max_ratio * row[1] for i, row in enumerate(distances)}


@pytest.mark.parametrize("max_ratio", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("block_elements", [40, 10_000])
def test_the_ratio_test_holds_in_both_directions(
    max_ratio: float, block_elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tiepoint.matching.mutual_nearest.row_blocks", partial(row_blocks, block_elements=block_elements)
    )
    pair = random_features(60, seed=1), random_features(50, seed=2)
    cosines = (pair[0].descriptors.double() @ pair[1].descriptors.double().T).clamp(max=1)
    forward, backward = (
        passes_by_hand(cosines.tolist(), max_ratio),
        passes_by_hand(cosines.T.tolist(), max_ratio),
    )
    (every,) = NearestMatcher(filter_threshold=-1).match([pair])
    (found,) = NearestMatcher(filter_threshold=-1, max_ratio=max_ratio).match([pair])
    expected = [[i, j] for i, j in every.matches.tolist() if forward[i] and backward[j]]
    assert found.matches.tolist() == expected
    assert len(expected) < len(every.matches)


def test_ambiguous_and_single_candidates() -> None:
    """Two equal descriptors are ambiguous; the only one is not."""
    one, twins = features_of(torch.eye(8)[:1]), features_of(torch.eye(8)[[0, 0]])
    matcher = NearestMatcher(max_ratio=0.8)
    assert [len(found.matches) for found in matcher.match([(one, one), (one, twins), (twins, one)])] == [
        1,
        0,
        0,
    ]
    assert len(NearestMatcher(max_ratio=0).match([(one, one)])[0].matches) == 1


@pytest.mark.parametrize(
    "options",
    [{"filter_threshold": -1.1}, {"filter_threshold": torch.nan}, {"max_ratio": 1.5}, {"max_ratio": -0.1}],
)
def test_thresholds_out_of_range(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InvalidInput, match=f"{name}: expected a number from"):
        NearestMatcher(**options)


def test_thresholds_are_part_of_the_fingerprint() -> None:
    options = ({}, {"filter_threshold": 0.2}, {"max_ratio": 0.8}, {"max_ratio": 0.9})
    assert len({NearestMatcher(**option).fingerprint for option in options}) == 4


def test_a_known_and_an_unknown_kind_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    known, unknown = features_of(torch.eye(8), kind="sift"), features_of(torch.eye(8))
    matcher = NearestMatcher()
    matcher.match([(known, known), (unknown, unknown)])
    assert not caplog.messages
    for _ in range(2):
        matcher.match([(unknown, known)])
    assert len(caplog.messages) == 1
    assert "unknown kind, but the other image has 'sift'" in caplog.text
    with pytest.raises(InvalidInput, match="unknown kind"):
        NearestMatcher(require_kind=True).match([(known, unknown)])


def test_little_time_leaves_the_best_keypoints() -> None:
    pair = random_features(300, seed=1), random_features(150, seed=2)
    matcher, model = NearestMatcher(filter_threshold=-1.0), costs(layers=0, layer=FREE)
    slow = replace(model, assignment=TokenCost(constant=0.0, per_token=1e-5, per_token_pair=0.0))
    found = matcher.match_within(pair, LatencyBudget(3, slow, FakeClock()).start())
    assert found.stopped_by == "no_layers"
    assert [int((prune > 0).sum()) for prune in (found.prune0, found.prune1)] == [128, 128]
    assert found.matches.max() < 128  # equal scores: ties go to the lower index
    enough = matcher.match_within(pair, LatencyBudget(1000, model, FakeClock()).start())
    assert torch.equal(enough.matches, matcher.match([pair])[0].matches)
