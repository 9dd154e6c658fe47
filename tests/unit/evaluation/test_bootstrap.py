"""Bootstrap intervals against manual values and the normal approximation; paired comparison."""

import math
from functools import partial

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.bootstrap import bootstrap_interval, paired_bootstrap
from tiepoint.geometry.metrics import auc

NORMAL_95 = 1.96
RANDOM = np.random.default_rng(0)
SHARES = RANDOM.uniform(0, 1, 400)


def auc_at_5(errors: np.ndarray) -> np.ndarray | np.floating:
    return auc(errors, [5])[..., 0]


def test_the_interval_of_a_mean_is_close_to_the_normal_interval() -> None:
    interval = bootstrap_interval(SHARES)
    half = NORMAL_95 * SHARES.std() / math.sqrt(len(SHARES))
    assert interval.value == pytest.approx(SHARES.mean())
    assert interval.low == pytest.approx(SHARES.mean() - half, abs=half / 10)
    assert interval.high == pytest.approx(SHARES.mean() + half, abs=half / 10)


def test_the_bootstrap_of_two_values_has_three_means() -> None:
    # Means of two draws of 0 and 1: 0 and 1 with probability 1/4 each, so the interval of 95 % spans both.
    interval = bootstrap_interval(np.array([0.0, 1.0]))
    assert (interval.low, interval.value, interval.high) == (0, 0.5, 1)
    narrow = bootstrap_interval(np.array([0.0, 1.0]), confidence=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)


def test_the_paired_interval_is_narrower_than_the_unpaired_one() -> None:
    better = SHARES + 0.02 + RANDOM.normal(0, 0.01, len(SHARES))
    paired = paired_bootstrap(SHARES, better)
    assert paired.value == pytest.approx((better - SHARES).mean())
    assert paired.excludes_zero
    shuffled = paired_bootstrap(SHARES, RANDOM.permutation(better))
    assert not shuffled.excludes_zero
    assert shuffled.high - shuffled.low > 10 * (paired.high - paired.low)


def test_a_method_does_not_differ_from_itself() -> None:
    interval = paired_bootstrap(SHARES, SHARES)
    assert (interval.low, interval.value, interval.high) == (0, 0, 0)
    assert not interval.excludes_zero


def test_swapping_the_methods_changes_the_sign() -> None:
    other = RANDOM.permutation(SHARES)
    there, back = paired_bootstrap(SHARES, other), paired_bootstrap(other, SHARES)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_the_auc_of_errors_with_failures() -> None:
    errors0 = np.append(RANDOM.exponential(4, 100), [math.inf] * 20)
    errors1 = errors0 / 2
    interval = paired_bootstrap(errors0, errors1, statistic=auc_at_5, samples=2000)
    assert interval.value == pytest.approx(auc_at_5(errors1) - auc_at_5(errors0))
    assert 0 < interval.low < interval.value < interval.high
    assert interval.excludes_zero


def test_the_interval_equals_resampling_one_by_one() -> None:
    errors = RANDOM.exponential(4, 30)
    interval = bootstrap_interval(errors, statistic=auc_at_5, samples=50, seed=7)
    rows = np.random.default_rng(7).integers(0, 30, (50, 30))
    metrics = [float(auc_at_5(errors[row])) for row in rows]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(metrics, [0.025, 0.975])))


def test_the_block_size_does_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap_interval(SHARES, samples=100)
    monkeypatch.setattr("tiepoint.evaluation.bootstrap.BLOCK_VALUES", 3 * len(SHARES))
    assert bootstrap_interval(SHARES, samples=100) == whole


def test_the_seed_determines_the_interval() -> None:
    assert bootstrap_interval(SHARES, seed=1) == bootstrap_interval(SHARES, seed=1)
    assert bootstrap_interval(SHARES, seed=1) != bootstrap_interval(SHARES, seed=2)


def test_higher_confidence_widens_the_interval() -> None:
    usual, wide = bootstrap_interval(SHARES), bootstrap_interval(SHARES, confidence=0.99)
    assert wide.low < usual.low
    assert usual.high < wide.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(bootstrap_interval, np.zeros(0)), "got 0 values"),
        (partial(bootstrap_interval, np.ones(3), samples=0), "0 samples"),
        (partial(bootstrap_interval, np.ones(3), confidence=1.0), "confidence 1"),
        (partial(bootstrap_interval, np.array([1.0, math.inf])), "not finite"),
        (partial(bootstrap_interval, np.array([1.0, math.nan])), "not finite"),
        (partial(paired_bootstrap, np.ones(3), np.ones(4)), "got 3 and 4 values"),
    ],
    ids=["empty", "samples", "confidence", "inf", "nan", "lengths"],
)
def test_misuse(call: partial, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        call()
