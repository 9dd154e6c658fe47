"""Processor and cores as reported by the system."""

import os
import time

import pytest

from tiepoint.io import machine
from tiepoint.io.machine import process_seconds, processor_name, waiting_seconds


def test_the_processor_name_is_read_from_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor : 0\nmodel name\t: A processor: fast\nmodel name\t: another\n"
    monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **options: text)
    assert processor_name() == "A processor: fast"


def test_without_proc_the_platform_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object, **options: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(machine.Path, "read_text", missing)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert processor_name() == "riscv64"


def test_waiting_never_decreases() -> None:
    assert 0 <= waiting_seconds() <= waiting_seconds()


@pytest.mark.parametrize("text", ["", "12", "a b c"])
def test_without_scheduler_statistics_nothing_was_waited(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **options: text)
    assert waiting_seconds() == 0
    monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **options: "5 2000000000 3")
    assert waiting_seconds() == 2


def test_the_age_of_the_process_is_read_from_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    fields = "S " + " ".join(str(number) for number in range(4, 22)) + f" {40 * ticks} 0"
    monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **options: f"7 (a) b) {fields}")
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 42.5)
    assert process_seconds() == 2.5


@pytest.mark.parametrize("text", ["", "7 (a) S 1 2"])
def test_without_proc_the_age_of_the_process_is_unknown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.Path, "read_text", lambda *arguments, **options: text)
    assert process_seconds() is None
