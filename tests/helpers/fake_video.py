"""A video source without FFmpeg, and a clock that only moves when a test moves it."""

import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from tiepoint.video.decoding import Video
from tiepoint.video.sources import VideoSource

WAIT_S = 60
"""Maximum real time that a thread waits for another; it is exceeded only if the test fails."""


class FakeClock:
    """Virtual time: one thread sleeps, another calls `advance`."""

    def __init__(self) -> None:
        self.time = 0.0
        self.is_over = False
        self._condition = threading.Condition()
        self._due: float | None = None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._condition:
            due = self._due = self.time + seconds
            self._condition.notify_all()
            assert self._condition.wait_for(lambda: self.time >= due or self.is_over, WAIT_S)

    def advance(self, seconds: float) -> None:
        """Move the time; the sleeping thread has run up to its next sleep, or its end, when this returns."""
        end = self.time + seconds
        with self._condition:
            while True:
                assert self._condition.wait_for(lambda: self._due is not None or self.is_over, WAIT_S)
                if self._due is None or self._due > end + 1e-9:
                    break
                self.time, self._due = self._due, None
                self._condition.notify_all()
            self.time = end

    def finish(self) -> None:
        """The thread sleeps no more."""
        with self._condition:
            self.is_over = True
            self._condition.notify_all()


def fake_frame(number: int, time: float | None = None, *, is_corrupt: bool = False) -> Any:
    """A frame of PyAV whose pixels encode its number."""
    pixels = np.full((4, 6, 3), number, np.uint8)
    return SimpleNamespace(
        time=time, rotation=0, is_corrupt=is_corrupt, to_ndarray=lambda **_: pixels, number=number
    )


class FakeContainer:
    """A container of PyAV with one frame per packet.

    Args:
        frames: Frames, or exceptions: raised by the decoder for `InvalidDataError`, by the demuxer for others.
        on_end: Called after the last frame was read.
    """

    def __init__(
        self, frames: Iterator[Any] | list[Any], *, rate: int = 25, on_end: Callable[[], None] | None = None
    ) -> None:
        self.items = iter(frames)
        self.stream = SimpleNamespace(
            type="video", average_rate=Fraction(rate), frames=0, decode=self._decode
        )
        self.streams = SimpleNamespace(video=[self.stream])
        self.format = SimpleNamespace(name="fake")
        self.duration = None
        self.on_end = on_end
        self.is_closed = False

    def demux(self) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, Exception) and not isinstance(item, ValueError):
                raise item
            yield SimpleNamespace(
                stream=self.stream, pts=None, dts=None, time_base=None, size=1, is_corrupt=False, item=item
            )
        if self.on_end is not None:
            self.on_end()

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> "FakeContainer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decode(self, packet: Any) -> list[Any]:
        if packet is None:
            return []
        if isinstance(packet.item, Exception):
            raise packet.item
        return [packet.item]


def fake_video(container: FakeContainer, kind: str = "camera") -> Video:
    """An open video of a fake container."""
    return Video(container=container, source=VideoSource(location="0", name="camera 0", kind=kind))


class Feed:
    """Frames that arrive when the test says so."""

    def __init__(self, frames: list[Any]) -> None:
        self.frames = frames
        self.may_send = threading.Semaphore(0)
        self.was_sent = threading.Semaphore(0)
        self.num_pending = 0

    def __iter__(self) -> Iterator[Any]:
        for frame in self.frames:
            assert self.may_send.acquire(timeout=WAIT_S)
            yield frame
            self.was_sent.release()  # the thread has put it, and wants the next one

    def allow(self, count: int) -> None:
        """Let frames arrive; do not wait for them."""
        self.may_send.release(count)
        self.num_pending += count

    def send(self, count: int) -> None:
        """Return when frames have arrived, those that were allowed before, too."""
        if count:
            self.allow(count)
        for _ in range(self.num_pending):
            assert self.was_sent.acquire(timeout=WAIT_S)
        self.num_pending = 0
