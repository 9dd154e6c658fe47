"""Timed runs, their median and quartiles; the number of threads is restored."""

import pytest
import torch

from tiepoint.bench import Seconds, measure, timing, torch_threads
from tiepoint.errors import InvalidInput


@pytest.mark.parametrize(
    ("runs", "median", "quartiles"),
    [
        ((3.0,), 3.0, (3.0, 3.0)),
        ((1.0, 3.0), 2.0, (1.5, 2.5)),
        ((5.0, 1.0, 4.0, 2.0, 3.0), 3.0, (2.0, 4.0)),
    ],
)
def test_median_and_quartiles(runs: tuple[float, ...], median: float, quartiles: tuple[float, float]) -> None:
    seconds = Seconds(runs)
    assert (seconds.median, seconds.quartiles) == (median, quartiles)
    assert seconds.to_dict() == {"median": median, "quartiles": list(quartiles), "runs": list(runs)}


def test_the_warm_up_run_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(timing, "perf_counter", lambda: next(clock))
    calls: list[int] = []
    assert measure(lambda: calls.append(1), runs=2).runs == (1.0, 2.0)
    assert len(calls) == 3


@pytest.mark.parametrize("runs", [0, -1])
def test_at_least_one_run(runs: int) -> None:
    with pytest.raises(InvalidInput, match=f"runs must be .*got {runs}"):
        measure(list, runs)


def test_threads_are_restored_after_an_error() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []

    def fail() -> None:
        with torch_threads(before + 1) as count:
            seen.extend((count, torch.get_num_threads()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [before + 1, before + 1]
    assert torch.get_num_threads() == before


def test_without_a_number_threads_are_unchanged() -> None:
    before = torch.get_num_threads()
    with torch_threads(None) as count:
        assert count == torch.get_num_threads() == before


@pytest.mark.parametrize("count", [0, -2])
def test_at_least_one_thread(count: int) -> None:
    with (
        pytest.raises(InvalidInput, match=f"threads must be .*got {count}"),
        torch_threads(count),
    ):
        pass


def test_a_device_is_synchronized_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: events.append("wait"))
    timing.seconds_of(lambda: events.append("work"), torch.device("cuda"))
    assert events == ["wait", "work", "wait"]
