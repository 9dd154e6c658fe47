"""Which pairs are computed together: as many as the limits allow, in order, at least one."""

import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.matching.batching import (
    ASSIGNMENT_BYTES,
    CPU_TOKENS,
    PackLimits,
    bytes_per_token,
    choose_limits,
    packs,
)
from tiepoint.models.lightglue.network import LightGlueShape

CPU = torch.device("cpu")


def sizes_of_packs(sizes: list[int], limits: PackLimits) -> list[list[int]]:
    return [sizes[pack] for pack in packs(sizes, limits)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (PackLimits(), [[50, 60, 7, 180, 1]]),
        (PackLimits(pairs=2), [[50, 60], [7, 180], [1]]),
        (PackLimits(tokens=110), [[50, 60], [7], [180], [1]]),
        (PackLimits(tokens=1), [[50], [60], [7], [180], [1]]),
        (PackLimits(pairs=3, tokens=118), [[50, 60, 7], [180], [1]]),
        (PackLimits(memory_budget=ASSIGNMENT_BYTES + 1881, bytes_per_token=10), [[50, 60, 7], [180, 1]]),
    ],
)
def test_a_pack_is_filled_up_to_the_first_limit(limits: PackLimits, expected: list[list[int]]):
    assert sizes_of_packs([50, 60, 7, 180, 1], limits) == expected


def test_no_pairs_no_packs():
    assert sizes_of_packs([], PackLimits(memory_budget=1)) == []


def test_a_budget_too_small_for_a_pair_is_found_before_the_work():
    limits = PackLimits(memory_budget=ASSIGNMENT_BYTES + (3 << 20), bytes_per_token=1 << 20)
    work = packs([2, 4], limits)
    with pytest.raises(
        InvalidInput, match=r"^pair 1 has 4 keypoints and takes about 20 MiB, but memory_budget is 19"
    ):
        next(work)


def test_what_auto_means_on_a_cpu():
    shape = LightGlueShape()
    limits = choose_limits("auto", None, shape, CPU)
    assert limits == PackLimits(None, CPU_TOKENS, None, bytes_per_token(shape))
    assert choose_limits(5, 1 << 30, shape, CPU) == PackLimits(5, None, 1 << 30, bytes_per_token(shape))


def test_what_auto_means_on_a_gpu(monkeypatch: pytest.MonkeyPatch):
    shape = LightGlueShape()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1 << 30, 1 << 35))
    limits = choose_limits("auto", None, shape, torch.device("cuda"))
    assert limits.tokens == (1 << 29) // bytes_per_token(shape)
