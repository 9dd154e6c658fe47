"""A single process, and the division of work; two real processes are tested in tests/e2e/test_train.py."""

import pytest
import torch
from torch import nn

from tiepoint.training.distributed import DistributedContext, has_fast_bfloat16, init_distributed

CPU = torch.device("cpu")


@pytest.fixture
def single() -> DistributedContext:
    return DistributedContext(0, 1, CPU)


def test_single_process_without_torchrun() -> None:
    with init_distributed(CPU) as context:
        assert context == DistributedContext(0, 1, CPU)


def test_world_size_without_torchrun_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable alone, for example of another launcher, does not start a process group."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with init_distributed(CPU) as context:
        assert context.world_size == 1


def test_collectives_of_a_single_process_are_the_identity(single: DistributedContext) -> None:
    module, values = nn.Linear(2, 2), torch.ones(3)
    single.barrier()
    assert single.wrap(module) is module
    assert torch.equal(single.mean(values), values)
    assert single.broadcast("value") == "value"


def test_single_process_computes_once(single: DistributedContext) -> None:
    accepted = []
    assert single.sharded(lambda accepts: accepted.append(accepts("any")) or "result") == "result"
    assert accepted == [True]


def test_every_key_belongs_to_one_process() -> None:
    contexts = [DistributedContext(rank, 3, CPU) for rank in range(3)]
    owners = [[context.rank for context in contexts if context.owns(str(key))] for key in range(60)]
    assert {len(ranks) for ranks in owners} == {1}
    assert {rank for ranks in owners for rank in ranks} == {0, 1, 2}


def test_only_rank_0_is_the_main_process() -> None:
    assert [DistributedContext(rank, 2, CPU).is_main_process for rank in (0, 1)] == [True, False]


def test_bfloat16_support_is_a_flag() -> None:
    assert isinstance(has_fast_bfloat16(CPU), bool)
