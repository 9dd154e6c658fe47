"""Latency budgets with the published weights: a fake clock, so that results do not depend on this machine."""

from pathlib import Path

import pytest
import torch
from tests.helpers.cost_models import FakeClock, costs

import tiepoint
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import LatencyBudget

pytestmark = [pytest.mark.real, pytest.mark.weights]

OPTIONS: dict = {"resize": 512, "device": "cpu"}


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return tiepoint.load(max_keypoints=1024, adaptive=False, **OPTIONS)


@pytest.mark.parametrize("milliseconds", [40, 70, 120])
def test_a_budget_equals_its_deterministic_twin(
    matcher: Matcher, photos: tuple[Path, Path], milliseconds: int
) -> None:
    """10 ms per image, 10 us per keypoint and image, 10 us per layer and keypoint."""
    budget = LatencyBudget(milliseconds, costs(), FakeClock())
    result = Matcher(matcher.extractor, matcher.matcher, budget=budget).match(*photos)
    used, layers = max(result.keypoints_used), result.layers_run
    assert result.stopped_by == "latency_budget"
    assert layers < 9
    assert used == len(result.features0) <= 1024
    twin = tiepoint.load(max_keypoints=used, max_layers=layers, adaptive=False, views=None, **OPTIONS).match(
        *photos
    )
    assert twin.stopped_by == "max_layers"
    assert torch.equal(result.features0.keypoints, twin.features0.keypoints)
    assert result.matches.tolist() == twin.matches.tolist()
    assert len(result) > 30


def test_features_are_cut_to_the_highest_scores(matcher: Matcher, photos: tuple[Path, Path]) -> None:
    features0, features1 = (matcher.extract(photo) for photo in photos)
    budget = LatencyBudget(10, costs(), FakeClock())
    limited = Matcher(matcher.extractor, matcher.matcher, budget=budget)
    (result,) = limited.match_features([(features0, features1)])
    count, layers = result.keypoints_used[0], result.layers_run
    assert count < len(features0)
    assert result.matches.max() < count  # features are ranked
    twin = tiepoint.load(max_keypoints=count, max_layers=layers, adaptive=False, views=None, **OPTIONS)
    assert result.matches.tolist() == twin.match(*photos).matches.tolist()


def test_a_clock_that_runs_out_stops_between_layers(matcher: Matcher, photos: tuple[Path, Path]) -> None:
    """Every reading of the clock takes 5 ms, so that less than planned is possible."""
    pair = [matcher.extract(photo) for photo in photos]
    budget = LatencyBudget(45, costs(), FakeClock(step=0.005))
    (result,) = Matcher(matcher.extractor, matcher.matcher, budget=budget).match_features(
        [(pair[0], pair[1])]
    )
    assert result.stopped_by == "latency_budget"
    assert 1 <= result.layers_run < 9
