"""Latency report of `bench --tune`: plans of budgets, and the kept cost model."""

import json
from types import SimpleNamespace

import pytest
from tests.helpers.colored_dots import make_matcher
from tests.helpers.cost_models import costs

from tiepoint.bench.latency import BUDGETS_MS, plan_pair, tune_latency
from tiepoint.image import ImageTransform
from tiepoint.matching.latency import calibration
from tiepoint.matching.latency.budget import RESERVE
from tiepoint.matching.latency.calibration import load_costs

IMAGES = [ImageTransform((64, 48), (64, 48))] * 2


def test_the_measured_costs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "waiting_seconds", lambda: 0.0)
    matcher = make_matcher(None, resize=64, max_keypoints=100)
    report = tune_latency(matcher, (640, 480), runs=1)
    assert report is not None
    assert report.image_size == (640, 480)
    assert tuple(report.plans) == BUDGETS_MS
    assert load_costs(matcher.extractor, matcher.matcher) == report.costs
    assert json.loads(json.dumps(report.to_dict()))["plans"].keys() == {f"{ms:g}" for ms in BUDGETS_MS}


def test_a_plan_leaves_the_time_of_extraction() -> None:
    plan = plan_pair(costs(), IMAGES, 2048, 100)
    assert plan is not None
    extraction = 2 * costs().extraction.seconds(IMAGES[0], plan.max_keypoints)
    total = extraction + costs().matching_seconds(2 * plan.max_keypoints, plan.max_layers)
    assert 0.06 < total <= 0.1 * (1 - RESERVE)


@pytest.mark.parametrize("milliseconds", [1, 20])
def test_impossible_budgets_have_no_plan(milliseconds: float) -> None:
    assert plan_pair(costs(), IMAGES, 2048, milliseconds) is None


def test_other_extractors_are_not_measured() -> None:
    matcher = make_matcher(None)
    matcher.extractor = SimpleNamespace()  # type: ignore[assignment]
    assert tune_latency(matcher, (640, 480)) is None
