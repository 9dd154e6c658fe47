"""The first interrupt is a request, the second one acts as usual."""

import signal

import pytest

from tiepoint.cli.interrupts import stop_on_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_the_second_aborts(number: signal.Signals) -> None:
    received: list[int] = []
    before = signal.signal(number, lambda number, frame: received.append(number))
    try:
        with stop_on_interrupt() as should_stop:
            assert not should_stop()
            signal.raise_signal(number)
            assert should_stop()
            assert received == []
            signal.raise_signal(number)
            assert received == [number]
    finally:
        signal.signal(number, before)


def test_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
