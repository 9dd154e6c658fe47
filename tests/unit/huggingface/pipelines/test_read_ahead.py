"""Reading ahead in threads: order, laziness, errors in their turn, an end at any time."""

import threading
from collections.abc import Iterator

import pytest

from tiepoint.huggingface.pipelines.read_ahead import read_ahead

WORKERS = pytest.mark.parametrize("num_workers", [0, 1, 3])


@WORKERS
@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_items_are_read_in_order(num_workers, count):
    assert list(read_ahead(range(count), lambda source: -source, num_workers)) == [-n for n in range(count)]


@WORKERS
def test_sources_are_taken_one_batch_ahead(num_workers):
    taken = []

    def sources() -> Iterator[int]:
        for source in range(10**9):
            taken.append(source)
            yield source

    items = read_ahead(sources(), lambda source: source, num_workers)
    assert taken == []
    assert [next(items), next(items)] == [0, 1]
    assert taken == list(range(2 + num_workers))
    items.close()


@WORKERS
def test_errors_are_raised_in_their_turn(num_workers):
    items = read_ahead([1, 2, 0, 4], lambda source: 8 // source, num_workers)
    assert [next(items), next(items)] == [8, 4]
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_threads_read_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    assert list(read_ahead("ab", lambda source: source * (1 + 0 * both.wait()), 2)) == ["a", "b"]
