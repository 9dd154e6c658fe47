"""Learning-rate schedule and budget as functions of the completed fraction."""

import math

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.training.schedule import WARMUP_START, Budget, Schedule


def test_linear_warm_up_and_cosine_decay() -> None:
    schedule = Schedule(warmup=0.1, final=0.01)
    assert schedule.factor(0.0) == pytest.approx(WARMUP_START)
    assert schedule.factor(0.05) == pytest.approx((WARMUP_START + 1) / 2)
    assert schedule.factor(0.1) == pytest.approx(1.0)
    assert schedule.factor(0.55) == pytest.approx(0.01 + 0.99 / 2)
    assert schedule.factor(1.0) == pytest.approx(0.01)


def test_exponential_decay_after_hold() -> None:
    schedule = Schedule(warmup=0.0, decay="exponential", hold=0.5, final=0.01)
    assert schedule.factor(0.0) == schedule.factor(0.5) == pytest.approx(1.0)
    assert schedule.factor(0.75) == pytest.approx(0.1)
    assert schedule.factor(1.0) == pytest.approx(0.01)


def test_decay_starts_after_the_warm_up() -> None:
    schedule = Schedule(warmup=0.4, decay="exponential", hold=0.2)
    assert schedule.factor(0.4) == pytest.approx(1.0)


def test_fraction_is_clamped_to_one() -> None:
    assert Schedule().factor(1.7) == Schedule().factor(1.0)


@pytest.mark.parametrize("invalid", [{"warmup": 1.0}, {"hold": -0.1}, {"final": 0.0}], ids=str)
def test_out_of_range_schedule_is_refused(invalid: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(invalid))):
        Schedule(**invalid)  # type: ignore[arg-type]


def test_budget_in_pairs_or_minutes() -> None:
    assert Budget(pairs=200).fraction_done(50, 1e9) == 0.25
    assert Budget(minutes=2.0).fraction_done(10**9, 30.0) == 0.25


def test_remaining_time_follows_from_the_pace() -> None:
    assert Budget(pairs=200).seconds_left(50, 10.0) == pytest.approx(30.0)
    assert Budget(minutes=1.0).seconds_left(7, 15.0) == pytest.approx(45.0)
    assert math.isinf(Budget(pairs=200).seconds_left(0, 0.0))


@pytest.mark.parametrize("invalid", [{}, {"pairs": 1, "minutes": 1.0}], ids=str)
def test_budget_needs_exactly_one_value(invalid: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=r"pairs=.* and minutes="):
        Budget(**invalid)  # type: ignore[arg-type]


@pytest.mark.parametrize("invalid", [{"pairs": 0}, {"minutes": -1.0}, {"minutes": math.nan}], ids=str)
def test_budget_is_positive(invalid: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="positive"):
        Budget(**invalid)  # type: ignore[arg-type]
