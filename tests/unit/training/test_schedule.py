"""The learning rate is a function of the share that is done; a budget says what that share is."""

import math

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.training.schedule import FIRST, Budget, Schedule


def test_it_warms_up_to_the_peak_and_a_cosine_takes_it_down() -> None:
    schedule = Schedule(peak=2.0, warmup=0.1, last=0.01)
    assert schedule.learning_rate(0.0) == pytest.approx(2 * FIRST)
    assert schedule.learning_rate(0.05) == pytest.approx(2 * (FIRST + 1) / 2)
    assert schedule.learning_rate(0.1) == pytest.approx(2.0)
    assert schedule.learning_rate(0.55) == pytest.approx(2 * (0.01 + 0.99 / 2))
    assert schedule.learning_rate(1.0) == pytest.approx(0.02)


def test_an_exponential_decay_holds_the_peak_and_then_falls_by_equal_factors() -> None:
    schedule = Schedule(peak=1.0, warmup=0.0, decay="exponential", hold=0.5, last=0.01)
    assert schedule.learning_rate(0.0) == schedule.learning_rate(0.5) == pytest.approx(1.0)
    assert schedule.learning_rate(0.75) == pytest.approx(0.1)
    assert schedule.learning_rate(1.0) == pytest.approx(0.01)


def test_a_decay_does_not_begin_before_the_warm_up_ends() -> None:
    schedule = Schedule(peak=1.0, warmup=0.4, decay="exponential", hold=0.2)
    assert schedule.learning_rate(0.4) == pytest.approx(1.0)


def test_more_than_all_counts_as_all() -> None:
    schedule = Schedule(peak=1.0)
    assert schedule.learning_rate(1.7) == schedule.learning_rate(1.0)


@pytest.mark.parametrize("wrong", [{"peak": 0.0}, {"warmup": 1.0}, {"hold": -0.1}, {"last": 0.0}], ids=str)
def test_a_schedule_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="a schedule needs"):
        Schedule(**({"peak": 1.0} | wrong))


def test_a_budget_is_of_pairs_or_of_minutes() -> None:
    assert Budget(pairs=200).done(50, 1e9) == 0.25
    assert Budget(minutes=2.0).done(10**9, 30.0) == 0.25


def test_the_time_that_is_left_follows_from_the_pace() -> None:
    assert Budget(pairs=200).seconds_left(50, 10.0) == pytest.approx(30.0)
    assert Budget(minutes=1.0).seconds_left(7, 15.0) == pytest.approx(45.0)
    assert math.isinf(Budget(pairs=200).seconds_left(0, 0.0))


@pytest.mark.parametrize("wrong", [{}, {"pairs": 1, "minutes": 1.0}], ids=str)
def test_a_budget_needs_one_of_them(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="give one of them"):
        Budget(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"pairs": 0}, {"minutes": -1.0}, {"minutes": math.nan}], ids=str)
def test_a_budget_is_above_0(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        Budget(**wrong)  # type: ignore[arg-type]
