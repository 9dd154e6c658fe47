"""LightGlueMatcher: inputs of the network, batches, and assignments.

The network itself is tested in tests/unit/models/lightglue; here it is small, random, and the reference.
"""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.helpers.cost_models import FakeClock, costs
from torch.nn.functional import normalize

from tiepoint.errors import InvalidInput
from tiepoint.matching import lightglue
from tiepoint.matching.latency.budget import LatencyBudget, Plan
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.assignment import mutual_matches
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, normalize_keypoints
from tiepoint.types import Assignment, Features

SHAPE = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2)
EXACT = AdaptiveInference(depth_confidence=-1.0, width_confidence=-1.0)
SIZE = (640, 480)


def random_network(shape: LightGlueShape = SHAPE) -> LightGlue:
    """Random weights with matchable keypoints and large similarities, so that not all scores are tiny."""
    generator = torch.Generator().manual_seed(0)
    network = LightGlue(shape).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5)
        if name.endswith("final_proj.weight"):
            parameter.mul_(4.0)
        if name.endswith("matchability.bias"):
            parameter.fill_(4.0)
    return network


def random_features(count: int, seed: int, *, dim: int = 16, kind: str = "", frame: bool = False) -> Features:
    generator = torch.Generator().manual_seed(seed)
    return Features(
        keypoints=torch.rand(count, 2, generator=generator) * torch.tensor(SIZE),
        scores=torch.rand(count, generator=generator),
        descriptors=normalize(torch.randn(count, dim, generator=generator), dim=1),
        image_size=SIZE,
        scales=torch.rand(count, generator=generator) if frame else None,
        orientations=torch.rand(count, generator=generator) if frame else None,
        kind=kind,
    )


def reordered(features: Features, order: list[int]) -> Features:
    """The same keypoints in another order, displaced by a few px."""
    moved = (features.keypoints[order] + torch.tensor([3.0, -2.0])).clamp(min=0)
    return replace(
        features,
        **{name: getattr(features, name)[order] for name in ("scores", "descriptors")},
        keypoints=torch.minimum(moved, torch.tensor(SIZE) - 1),
    )


def assert_same(found: Assignment, expected: Assignment) -> None:
    assert torch.equal(found.matches, expected.matches)
    torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-5)
    assert torch.equal(found.prune0, expected.prune0)
    assert torch.equal(found.prune1, expected.prune1)
    assert found.layers_run == expected.layers_run


@pytest.mark.parametrize("threshold", [0.0, 0.1])
def test_without_adaptivity_it_equals_the_dense_network(threshold: float) -> None:
    network, a = random_network(), random_features(30, 1)
    b = reordered(a, order=list(reversed(range(5, 30))))
    (found,) = LightGlueMatcher(network, adaptivity=EXACT, filter_threshold=threshold).match([(a, b)])
    size = torch.tensor([SIZE]).float()
    positions = [normalize_keypoints(features.keypoints[None], size) for features in (a, b)]
    log_scores = network(positions[0], a.descriptors[None], positions[1], b.descriptors[None])
    expected = mutual_matches(log_scores, threshold)
    matched = (expected.matches0[0] >= 0).nonzero().squeeze(1)
    assert len(matched) > 3
    assert found.matches.tolist() == [[i, expected.matches0[0, i].item()] for i in matched.tolist()]
    torch.testing.assert_close(found.scores, expected.matching_scores0[0, matched], rtol=0, atol=1e-5)
    torch.testing.assert_close(found.matching_scores0, expected.matching_scores0[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(found.matching_scores1, expected.matching_scores1[0], rtol=0, atol=1e-5)
    assert (found.scores > threshold).all()
    assert found.layers_run == 2
    assert found.prune0.tolist() == [2] * 30


@pytest.mark.slow
@pytest.mark.parametrize(
    "limit", [{"batch_size": 1}, {"batch_size": 3}, {"memory_budget": 17 << 20}, {}], ids=str
)
def test_the_batch_size_changes_nothing(limit: dict) -> None:
    network = random_network()
    alone = LightGlueMatcher(network, filter_threshold=0.0, batch_size=1)
    images = [random_features(count, seed=count) for count in (30, 0, 12, 1)]
    pairs = [(a, b) for a in images for b in images]
    together = LightGlueMatcher(network, filter_threshold=0.0, **limit)
    for found, pair in zip(together.match(pairs), pairs, strict=True):
        assert_same(found, alone.match([pair])[0])


def test_batches_are_computed_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def spy(network, positions, descriptors, counts, **options):
        sizes.append((len(positions), len(counts)))
        return match_batch(network, positions, descriptors, counts, **options)

    match_batch = lightglue.match_batch
    monkeypatch.setattr(lightglue, "match_batch", spy)
    small = random_features(25, 1)
    LightGlueMatcher(random_network(), batch_size=2).match([(small, small)] * 3)
    assert sizes == [(100, 2), (50, 1)]


def test_dtypes_may_be_mixed_in_a_batch() -> None:
    matcher = LightGlueMatcher(random_network(), filter_threshold=0.0)
    single = random_features(20, 1), random_features(15, 2)
    half = tuple(replace(features, descriptors=features.descriptors.half()) for features in single)
    expected = [matcher.match([pair])[0] for pair in (single, half)]
    for found, alone in zip(matcher.match([single, half]), expected, strict=True):
        assert_same(found, alone)


@pytest.mark.parametrize(("m", "n"), [(0, 5), (5, 0), (0, 0)])
def test_no_keypoints_give_no_matches(m: int, n: int) -> None:
    (found,) = LightGlueMatcher(random_network()).match([(random_features(m, 1), random_features(n, 2))])
    assert (found.matches.shape, found.scores.shape, found.layers_run) == ((0, 2), (0,), 0)
    assert (len(found.prune0), len(found.prune1)) == (m, n)


def test_no_pairs_no_results() -> None:
    assert LightGlueMatcher(random_network()).match([]) == []


def test_matches_have_no_gradient_and_torch_modes_are_restored() -> None:
    features = random_features(20, 1)
    network = random_network().requires_grad_(True)
    (found,) = LightGlueMatcher(network, filter_threshold=0.0).match([(features, features)])
    assert not found.scores.requires_grad
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_the_network_is_set_to_evaluation_mode() -> None:
    assert not LightGlueMatcher(random_network().train()).network.training


def test_half_precision_descriptors_are_accepted() -> None:
    features = random_features(20, 1)
    half = Features(
        keypoints=features.keypoints,
        scores=features.scores,
        descriptors=features.descriptors.half(),
        image_size=SIZE,
    )
    matcher = LightGlueMatcher(random_network(), adaptivity=EXACT, filter_threshold=0.0)
    (found,), (expected,) = matcher.match([(half, half)]), matcher.match([(features, features)])
    torch.testing.assert_close(found.matching_scores0, expected.matching_scores0, rtol=0, atol=0.02)


class TestScalesAndOrientations:
    shape = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2, position_dim=4)

    def test_they_follow_the_position_in_the_network_input(self) -> None:
        network, (a, b) = random_network(self.shape), (random_features(20, k, frame=True) for k in (1, 2))
        matcher = LightGlueMatcher(network, adaptivity=EXACT, filter_threshold=0.0)
        (found,) = matcher.match([(a, b)])
        inputs = []
        for features in (a, b):
            xy = normalize_keypoints(features.keypoints[None], torch.tensor([SIZE]).float())
            frame = torch.stack((features.scales, features.orientations), dim=1)[None]
            inputs += [torch.cat((xy, frame), dim=2), features.descriptors[None]]
        expected = mutual_matches(network(*inputs), 0.0)
        torch.testing.assert_close(found.matching_scores0, expected.matching_scores0[0], rtol=0, atol=1e-5)

    def test_features_without_them_are_an_error(self) -> None:
        features = random_features(5, 1)
        with pytest.raises(InvalidInput, match="scales and orientations"):
            LightGlueMatcher(random_network(self.shape)).match([(features, features)])


class TestWrongFeatures:
    def test_of_another_extractor(self) -> None:
        matcher = LightGlueMatcher(random_network(), kind="aliked@1")
        valid, wrong = random_features(5, 1, kind="aliked@1"), random_features(5, 1, kind="disk@2")
        for pair in ((wrong, valid), (valid, wrong), (wrong, wrong)):
            with pytest.raises(InvalidInput, match="'aliked@1', got 'disk@2'"):
                matcher.match([(valid, valid), pair])

    def test_of_another_dimension(self) -> None:
        features = random_features(5, 1, dim=24)
        with pytest.raises(InvalidInput, match="dimension 16, got 24"):
            LightGlueMatcher(random_network()).match([(features, features)])

    def test_features_of_the_user_are_accepted(self) -> None:
        features = random_features(5, 1, kind="")
        assert len(LightGlueMatcher(random_network(), kind="aliked@1").match([(features, features)])) == 1

    def test_an_unknown_kind_is_reported_once(self, caplog: pytest.LogCaptureFixture) -> None:
        features = random_features(5, 1, kind="")
        matcher = LightGlueMatcher(random_network(), kind="aliked@1")
        for _ in range(2):
            matcher.match([(features, features), (features, features)])
        assert len(caplog.messages) == 1
        assert "unknown kind, but the matcher was trained for 'aliked@1'" in caplog.text

    def test_an_unknown_kind_is_an_error_on_request(self) -> None:
        known, unknown = random_features(5, 1, kind="aliked@1"), random_features(5, 1, kind="")
        matcher = LightGlueMatcher(random_network(), kind="aliked@1", require_kind=True)
        assert len(matcher.match([(known, known)])) == 1
        with pytest.raises(InvalidInput, match="unknown kind"):
            matcher.match([(known, unknown)])

    def test_a_network_of_unknown_kind_accepts_any(self, caplog: pytest.LogCaptureFixture) -> None:
        features = random_features(5, 1, kind="")
        assert len(LightGlueMatcher(random_network(), require_kind=True).match([(features, features)])) == 1
        assert not caplog.messages


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, True])
def test_scores_are_probabilities(threshold: Any) -> None:
    with pytest.raises(InvalidInput, match="filter_threshold: expected a number from 0 to 1"):
        LightGlueMatcher(random_network(), filter_threshold=threshold)


class TestFewerLayers:
    """`max_layers` and `match_within`."""

    def test_fewer_layers_are_part_of_the_fingerprint(self) -> None:
        network = random_network()
        prints = [LightGlueMatcher(network, max_layers=layers).fingerprint for layers in (None, 1, 2, 99)]
        assert prints[0] == prints[2] == prints[3] != prints[1]

    def test_one_layer_is_run_and_reported(self) -> None:
        pair = random_features(30, 1), random_features(20, 2)
        (found,) = LightGlueMatcher(random_network(), adaptivity=EXACT, max_layers=1).match([pair])
        assert (found.layers_run, found.stopped_by) == (1, "max_layers")

    @pytest.mark.parametrize("value", [0, -1, True])
    def test_invalid_numbers_are_named(self, value: Any) -> None:
        with pytest.raises(InvalidInput, match=f"max_layers .*got {value!r}"):
            LightGlueMatcher(random_network(), max_layers=value)

    def test_a_variant_shares_the_network(self) -> None:
        matcher = LightGlueMatcher(random_network(), kind="a", adaptivity=EXACT)
        other = matcher.variant(adaptivity=EXACT, max_layers=1)
        assert (other.max_layers, matcher.max_layers) == (1, 2)
        assert (
            other.fingerprint
            == LightGlueMatcher(random_network(), kind="a", adaptivity=EXACT, max_layers=1).fingerprint
        )
        assert other.network is matcher.network

    def test_enough_time_changes_nothing(self) -> None:
        matcher = LightGlueMatcher(random_network(), adaptivity=EXACT, filter_threshold=0.0)
        pair = random_features(30, 1), random_features(20, 2)
        found = matcher.match_within(pair, LatencyBudget(10_000, costs(2), FakeClock()).start())
        assert_same(found, matcher.match([pair])[0])
        assert found.stopped_by == "last_layer"

    def test_little_time_leaves_one_layer_and_few_keypoints(self) -> None:
        matcher = LightGlueMatcher(random_network(), adaptivity=EXACT, filter_threshold=0.0)
        pair = random_features(300, 1), random_features(200, 2)
        found = matcher.match_within(pair, LatencyBudget(4, costs(2), FakeClock()).start())
        assert (found.layers_run, found.stopped_by) == (1, "latency_budget")
        assert [int((prune > 0).sum()) for prune in (found.prune0, found.prune1)] == [128, 128]
        used = pair[0].scores.sort(descending=True).indices[:128]
        assert set(found.prune0.nonzero().flatten().tolist()) == set(used.tolist())
        assert (found.matching_scores0[found.prune0 == 0] == 0).all()

    def test_its_own_maximum_is_not_the_budget(self) -> None:
        matcher = LightGlueMatcher(random_network(), adaptivity=EXACT, max_layers=1)
        pair = random_features(30, 1), random_features(20, 2)
        found = matcher.match_within(pair, LatencyBudget(10_000, costs(1), FakeClock()).start())
        assert (found.layers_run, found.stopped_by) == (1, "max_layers")

    def test_a_slow_layer_is_the_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = LatencyBudget(10_000, costs(2), FakeClock()).start()
        monkeypatch.setattr(clock, "plan_matching", lambda counts: Plan(max_keypoints=999, max_layers=2))
        monkeypatch.setattr(clock, "has_time", lambda tokens: False)
        pair = random_features(30, 1), random_features(20, 2)
        found = LightGlueMatcher(random_network(), adaptivity=EXACT).match_within(pair, clock)
        assert (found.layers_run, found.stopped_by) == (1, "latency_budget")

    def test_the_memory_budget_is_checked(self) -> None:
        pair = random_features(30, 1), random_features(20, 2)
        matcher = LightGlueMatcher(random_network(), memory_budget=1)
        with pytest.raises(InvalidInput, match="memory_budget"):
            matcher.match_within(pair, LatencyBudget(10_000, costs(2), FakeClock()).start())


@pytest.mark.parametrize("position_dim", [2, 4])
def test_features_without_keypoints_match_anything(position_dim: int) -> None:
    """Other programs return no descriptors of any dimension, and no scales."""
    network = random_network(replace(SHAPE, position_dim=position_dim))
    empty = random_features(0, 0, dim=0)
    full = random_features(9, 1, frame=True)
    found = LightGlueMatcher(network).match([(empty, full), (full, full), (full, empty), (empty, empty)])
    assert [len(assignment.matches) for assignment in found[::2]] == [0, 0]
    assert [len(found[0].matching_scores1), len(found[2].matching_scores0)] == [9, 9]
    assert len(found[3].matches) == 0 < len(found[1].matches)
