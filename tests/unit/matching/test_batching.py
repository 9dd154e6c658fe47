"""Batches are filled up to the first limit, in order, with at least one pair."""

import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.matching.batching import (
    ASSIGNMENT_BYTES,
    CPU_TOKENS,
    BatchLimits,
    bytes_per_token,
    choose_limits,
    split_batches,
)
from tiepoint.models.lightglue.network import LightGlueShape

CPU = torch.device("cpu")


def batch_sizes(sizes: list[int], limits: BatchLimits) -> list[list[int]]:
    return [sizes[batch] for batch in split_batches(sizes, limits)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (BatchLimits(), [[50, 60, 7, 180, 1]]),
        (BatchLimits(max_pairs=2), [[50, 60], [7, 180], [1]]),
        (BatchLimits(max_tokens=110), [[50, 60], [7], [180], [1]]),
        (BatchLimits(max_tokens=1), [[50], [60], [7], [180], [1]]),
        (BatchLimits(max_pairs=3, max_tokens=118), [[50, 60, 7], [180], [1]]),
        (BatchLimits(memory_budget=ASSIGNMENT_BYTES + 1881, bytes_per_token=10), [[50, 60, 7], [180, 1]]),
    ],
)
def test_a_batch_is_filled_up_to_the_first_limit(limits: BatchLimits, expected: list[list[int]]):
    assert batch_sizes([50, 60, 7, 180, 1], limits) == expected


def test_no_pairs_no_batches():
    assert batch_sizes([], BatchLimits(memory_budget=1)) == []


def test_a_memory_budget_too_small_for_a_pair_fails_fast():
    limits = BatchLimits(memory_budget=ASSIGNMENT_BYTES + (3 << 20), bytes_per_token=1 << 20)
    batches = split_batches([2, 4], limits)
    with pytest.raises(InvalidInput, match=r"19 MiB.*pair 1 with 4 keypoints needs about 20 MiB"):
        next(batches)


def test_auto_on_a_cpu():
    shape = LightGlueShape()
    limits = choose_limits("auto", None, shape, CPU)
    assert limits == BatchLimits(None, CPU_TOKENS, None, bytes_per_token(shape))
    assert choose_limits(5, 1 << 30, shape, CPU) == BatchLimits(5, None, 1 << 30, bytes_per_token(shape))


def test_auto_on_a_gpu(monkeypatch: pytest.MonkeyPatch):
    shape = LightGlueShape()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1 << 30, 1 << 35))
    limits = choose_limits("auto", None, shape, torch.device("cuda"))
    assert limits.max_tokens == (1 << 29) // bytes_per_token(shape)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "many"])
def test_invalid_options_are_named(value: object, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    shape = LightGlueShape()
    with pytest.raises(InvalidInput, match=r"batch_size.*auto"):
        choose_limits(value, None, shape, CPU)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"memory_budget.*None"):
        choose_limits("auto", value, shape, CPU)  # type: ignore[arg-type]
