"""Live video: a thread decodes every frame; the newest one is processed, and frames that arrive meanwhile are dropped."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.decoding import Video, image_of

POLL_S = 0.1
# Maximum time until a request to stop is noticed while waiting for a frame
JOIN_S = 1.0
# Maximum time to wait for the thread; it may be blocked in a read until its timeout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clock:
    """Time source, replaced in tests.

    Attributes:
        now: Function that returns the time in s.
        sleep: Function that waits for a number of s.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Pacer:
    """Delays the frames of a file until their timestamps, as if a camera recorded them."""

    clock: Clock
    _start: float | None = None

    def wait(self, timestamp: float | None) -> None:
        """Wait until a frame is due.

        Args:
            timestamp: Presentation time of the frame in s; None does not wait.
        """
        if timestamp is None:
            return
        if self._start is None:
            self._start = self.clock.now() - timestamp
        delay = self._start + timestamp - self.clock.now()
        if delay > 0:
            self.clock.sleep(delay)


class Newest(Generic[T]):
    """Queue of one item between two threads: a new item replaces one that was not taken."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._items: list[T] = []
        self._num_replaced = 0
        self._is_closed = False

    def put(self, item: T) -> None:
        """Offer an item; an item that was not taken is counted as replaced."""
        with self._condition:
            self._num_replaced += len(self._items)
            self._items = [item]
            self._condition.notify()

    def count_replaced(self) -> None:
        """Count one more item as replaced, which was not put."""
        with self._condition:
            self._num_replaced += 1

    def close(self) -> None:
        """Declare that no more items are put."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def take(self, timeout: float) -> tuple[T, int] | None:
        """Wait for an item.

        Args:
            timeout: Maximum time to wait in s.

        Returns:
            The newest item, and the number of items that were replaced since the last call that returned one; None
            after the timeout.

        Raises:
            EOFError: If no more items follow.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: self._items or self._is_closed, timeout):
                return None
            if not self._items:
                raise EOFError
            num_replaced, self._num_replaced = self._num_replaced, 0
            return self._items.pop(), num_replaced


@dataclass(slots=True)
class LiveFrames:
    """Newest frames of a video, one at a time.

    Frames that cannot be decoded count as dropped: a stream may be joined between two of its complete frames. Frames are
    counted from the first one that was returned.

    Args:
        video: Open video; closed at its end, or by `close`.
        is_paced: Whether to play a file at its frame rate; cameras and streams set the pace themselves.
        should_stop: Polled while waiting for a frame; True ends the sequence.
        clock: Time source.

    Attributes:
        num_dropped: Number of frames that were dropped before the one returned last.
    """

    video: Video
    is_paced: bool = False
    should_stop: Callable[[], bool] = lambda: False
    clock: Clock = field(default_factory=Clock)
    num_dropped: int = 0
    _newest: Newest[Any] = field(default_factory=Newest)
    _thread: threading.Thread | None = None
    _is_closed: bool = False
    _has_started: bool = False
    _end: Exception | None = None

    def next(self) -> Image | InvalidInput | None:
        """Return the newest frame that was not returned yet; wait for one if there is none.

        Returns:
            The upright image; at the end one error, if the connection is lost or the file is damaged, then None.
        """
        self._start()
        while not self._is_closed and not self.should_stop():
            try:
                taken = self._newest.take(POLL_S)
            except EOFError:
                return self._finish()
            if taken is not None and isinstance(image := self._image(*taken), Image):
                return image
        return None

    def close(self) -> None:
        """End the sequence; the thread closes the video."""
        self._is_closed = True
        if self._thread is None:
            self.video.container.close()
        else:
            self._thread.join(JOIN_S)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._decode, name="tiepoint-live", daemon=True)
            self._thread.start()

    def _image(self, frame: Any, num_replaced: int) -> Image | InvalidInput:
        """Return the image of a frame, and count the frames that it replaced, and itself if it is damaged."""
        image = image_of(frame)
        is_first = not self._has_started
        self._has_started = self._has_started or isinstance(image, Image)
        if not is_first:
            self.num_dropped += num_replaced + (not isinstance(image, Image))
        return image

    def _finish(self) -> InvalidInput | None:
        """Return the error that ended the sequence, once; errors of other types are bugs and raised."""
        end, self._end = self._end, None
        if end is None:
            return None
        if isinstance(end, InvalidInput):
            return InvalidInput(f"{self.video.source.name}: {end}")
        raise end

    def _decode(self) -> None:
        """Decode until the end, in a thread of its own."""
        try:
            with self.video.container:
                self._offer_frames()
        except Exception as error:
            self._end = error
        finally:
            self._newest.close()

    def _offer_frames(self) -> None:
        pacer = Pacer(self.clock)
        for packet in self.video.packets():
            if isinstance(packet, InvalidInput):
                raise packet
            for frame in self._frames(packet):
                if self.is_paced:
                    pacer.wait(frame.time)
                if self._is_closed:
                    return
                self._newest.put(frame)

    def _frames(self, packet: Any) -> list[Any]:
        try:
            return self.video.frames(packet)
        except InvalidInput:
            self._newest.count_replaced()
            return []
