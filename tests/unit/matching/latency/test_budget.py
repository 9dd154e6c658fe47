"""Latency budget with a fake clock: plans, the check between layers, and budgets that are too small."""

import math
from typing import Any

import pytest
from tests.helpers.cost_models import FREE, FakeClock, costs

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform
from tiepoint.matching.latency.budget import (
    MIN_KEYPOINTS,
    RESERVE,
    LatencyBudget,
    PairClock,
    Plan,
    check_latency_budget,
    check_no_views,
    choose_plan,
    expected_loss,
    keypoint_steps,
    smallest_seconds,
)

IMAGES = [ImageTransform((640, 480), (640, 480))] * 2
MANY = (2048, 2048)


def start(milliseconds: float, clock: FakeClock | None = None, **options: Any) -> PairClock:
    return LatencyBudget(milliseconds, costs(**options), clock or FakeClock()).start()


class TestPlan:
    @pytest.mark.parametrize("milliseconds", [10, 30, 100, 300])
    def test_a_plan_fits_into_the_budget_without_its_reserve(self, milliseconds: float) -> None:
        plan = start(milliseconds).plan_matching(MANY)
        seconds = costs().matching_seconds(2 * plan.max_keypoints, plan.max_layers)
        assert seconds <= milliseconds / 1000 * (1 - RESERVE)

    def test_more_time_is_never_less_accurate(self) -> None:
        losses = [expected_loss(start(ms).plan_matching(MANY)) for ms in (5, 10, 20, 50, 100, 200, 400, 900)]
        assert losses == sorted(losses, reverse=True)
        assert len(set(losses)) > 5

    def test_enough_time_cuts_nothing(self) -> None:
        assert start(1000).plan_matching(MANY) == Plan(max_keypoints=2048, max_layers=9)

    def test_images_with_few_keypoints_get_more_layers(self) -> None:
        assert (
            start(60).plan_matching((2048, 100)).max_keypoints > start(60).plan_matching(MANY).max_keypoints
        )

    def test_without_layers_only_keypoints_are_cut(self) -> None:
        model = costs(layers=0, layer=FREE)
        assert choose_plan(model, MANY, lambda _: 0.002) == Plan(max_keypoints=2048, max_layers=0)
        assert choose_plan(model, MANY, lambda _: 0.0005) == Plan(max_keypoints=MIN_KEYPOINTS, max_layers=0)

    def test_without_time_the_smallest_plan_is_left(self) -> None:
        clock = FakeClock()
        pair = start(100, clock)
        clock.now += 1
        assert pair.seconds_left < 0
        assert pair.plan_matching(MANY) == Plan(max_keypoints=MIN_KEYPOINTS, max_layers=1)

    def test_extraction_leaves_time_for_matching(self) -> None:
        keypoints = start(100).plan_extraction(IMAGES, 2048)
        spent = sum(costs().extraction.seconds(image, keypoints) for image in IMAGES)
        assert spent + costs().matching_seconds(2 * keypoints, 1) < 0.1
        assert MIN_KEYPOINTS <= keypoints < 2048

    def test_extraction_never_gets_more_keypoints_than_the_option(self) -> None:
        assert start(5000).plan_extraction(IMAGES, 1000) == 1000
        assert start(5000).plan_extraction(IMAGES, 50) == 50

    def test_no_maximum_is_a_large_one(self) -> None:
        assert start(60_000).plan_extraction(IMAGES, None) == 8192

    def test_steps_end_with_the_maximum(self) -> None:
        assert keypoint_steps(2048)[-5:] == [1024, 1218, 1448, 1722, 2048]
        assert keypoint_steps(300) == [128, 152, 181, 215, 256, 300]
        assert keypoint_steps(5) == [MIN_KEYPOINTS]


class TestClock:
    """2 ms per layer of 200 tokens, and 1 ms for the assignment, which the first layer's time includes."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def pair(self, clock: FakeClock) -> PairClock:
        pair = start(9, clock)  # 8.46 ms without the reserve
        assert pair.plan_matching((100, 100)) == Plan(max_keypoints=128, max_layers=3)
        return pair

    def test_layers_run_until_there_is_no_time_for_another_one_and_the_assignment(
        self, clock: FakeClock, pair: PairClock
    ) -> None:
        found = []
        for _ in range(3):
            clock.now += 0.002
            found.append(pair.has_time(200))
        assert found == [True, True, False]

    def test_pruned_keypoints_leave_time(self, clock: FakeClock, pair: PairClock) -> None:
        clock.now += 0.003
        clock.now += 0.0
        assert pair.has_time(200)
        clock.now += 0.0025
        assert pair.has_time(20)

    def test_on_a_slower_machine_the_next_layer_is_expected_to_be_slow(
        self, clock: FakeClock, pair: PairClock
    ) -> None:
        clock.now += 0.005  # instead of 3 ms: the next layer and the assignment take 5 ms, too
        assert not pair.has_time(200)

    def test_a_fast_layer_does_not_promise_faster_ones(self, clock: FakeClock, pair: PairClock) -> None:
        clock.now += 0.0001
        assert pair.has_time(200)
        clock.now += 0.006
        assert not pair.has_time(200)

    def test_a_shortened_clock_ends_earlier(self) -> None:
        pair = start(100)
        assert pair.shortened(0.25).seconds_left == pytest.approx(pair.seconds_left / 4)

    def test_a_shortened_clock_without_time_ends_with_the_other(self) -> None:
        clock = FakeClock()
        pair = start(100, clock)
        clock.now += 1
        assert pair.shortened(0.5).end == pair.end


class TestTooSmall:
    def test_matching_alone(self) -> None:
        smallest = math.ceil(1000 * smallest_seconds(costs(), ()))
        with pytest.raises(InvalidInput, match=rf"latency_budget_ms=1 .*{smallest} ms"):
            LatencyBudget(1, costs())
        LatencyBudget(smallest, costs())

    def test_extraction(self) -> None:
        smallest = math.ceil(1000 * smallest_seconds(costs(), IMAGES))
        with pytest.raises(InvalidInput, match=rf"latency_budget_ms=20 .*{smallest} ms"):
            start(20).plan_extraction(IMAGES, 2048)
        assert start(smallest).plan_extraction(IMAGES, 2048) == MIN_KEYPOINTS

    def test_one_image_takes_less_than_two(self) -> None:
        assert start(20).plan_extraction(IMAGES[:1], 2048) >= MIN_KEYPOINTS


@pytest.mark.parametrize("value", [0, -5, math.nan, math.inf, True, "50", None])
def test_invalid_budgets_are_named(value: Any) -> None:
    with pytest.raises(InvalidInput, match="latency_budget_ms") as error:
        check_latency_budget(value)
    assert repr(value) in str(error.value)


def test_a_rotation_search_does_not_fit_into_a_budget() -> None:
    check_no_views(None)
    with pytest.raises(InvalidInput, match="views='rotation'"):
        check_no_views("rotation")
