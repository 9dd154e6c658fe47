"""Live video: pacing and dropping with a fake clock and container, the end of a stream, stopping."""

import threading
from typing import Any

import av
import pytest
from tests.helpers.fake_video import WAIT_S, FakeClock, FakeContainer, Feed, fake_frame, fake_video

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.live import Clock, LiveFrames, Newest, Pacer


def number_of(image: Any) -> int:
    assert isinstance(image, Image)
    return int(image.pixels[0, 0, 0])


def test_a_new_item_replaces_one_that_was_not_taken():
    newest: Newest[str] = Newest()
    for item in "abc":
        newest.put(item)
    assert newest.take(0) == ("c", 2)
    assert newest.take(0) is None
    newest.put("d")
    newest.count_replaced()
    newest.close()
    assert newest.take(0) == ("d", 1)
    with pytest.raises(EOFError):
        newest.take(0)


def test_frames_of_a_file_wait_for_their_timestamps():
    slept: list[float] = []
    time = iter([10.0, 10.0, 10.1, 13.0, 13.0])
    pacer = Pacer(Clock(now=lambda: next(time), sleep=slept.append))
    for timestamp in (2.0, 2.5, None, 3.0):
        pacer.wait(timestamp)
    assert slept == pytest.approx([0.4])


@pytest.mark.parametrize(
    ("busy_s", "expected", "dropped"),
    [
        (0.04, list(range(10)), 0),
        (0.1, [0, 2, 5, 7, 9], 5),
        (0.2, [0, 5, 9], 7),
        (9.0, [0, 9], 8),
    ],
    ids=["fast enough", "slow", "slower", "stuck"],
)
def test_the_newest_frame_is_processed_and_older_ones_are_dropped(
    busy_s: float, expected: list[int], dropped: int
):
    """10 frames at 25 per second."""
    clock = FakeClock()
    container = FakeContainer([fake_frame(n, 5 + n / 25) for n in range(10)], on_end=clock.finish)
    frames = LiveFrames(fake_video(container, "file"), is_paced=True, clock=Clock(clock.now, clock.sleep))
    numbers = []
    while (image := frames.next()) is not None:
        numbers.append(number_of(image))
        clock.advance(busy_s)
    assert numbers == expected
    assert frames.num_dropped == dropped == 10 - len(expected)
    assert container.is_closed


def test_a_camera_sets_the_pace_itself():
    """The thread reads ahead as fast as frames arrive, whatever their timestamps."""
    has_ended = threading.Event()
    container = FakeContainer([fake_frame(n, 100.0 * n) for n in range(8)], on_end=has_ended.set)
    frames = LiveFrames(fake_video(container))
    first = number_of(frames.next())
    assert has_ended.wait(WAIT_S)
    rest = [] if first == 7 else [number_of(frames.next())]
    assert rest in ([], [7])
    assert frames.next() is None
    assert frames.num_dropped == (0 if first == 7 else 7 - first - 1)


def test_damaged_frames_count_as_dropped():
    damaged = [av.InvalidDataError(1, "damaged"), fake_frame(9, is_corrupt=True)]
    feed = Feed([*damaged, fake_frame(2), damaged[0], fake_frame(4), damaged[1], fake_frame(6)])
    frames = LiveFrames(fake_video(FakeContainer(iter(feed))))
    feed.allow(3)
    assert number_of(frames.next()) == 2, "counting begins with the first frame that is returned"
    assert frames.num_dropped == 0
    feed.send(2)
    feed.allow(2)
    numbers = []
    while (image := frames.next()) is not None:
        numbers.append(number_of(image))
    assert numbers[-1] == 6
    assert frames.num_dropped == 7 - 3 - len(numbers)


def test_a_lost_connection_is_the_last_item():
    frames = LiveFrames(fake_video(FakeContainer([fake_frame(3), av.ExitError(1, "Immediate exit")])))
    assert number_of(frames.next()) == 3
    problem = frames.next()
    assert isinstance(problem, InvalidInput)
    assert str(problem).startswith("camera 0: the connection was lost (no data for 10 s)")
    assert frames.next() is None


def test_an_unexpected_error_in_the_thread_is_raised():
    frames = LiveFrames(fake_video(FakeContainer([MemoryError("full")])))
    with pytest.raises(MemoryError, match="full"):
        frames.next()


def test_waiting_ends_when_asked_to_stop():
    feed = Feed([fake_frame(0), fake_frame(1)])
    container = FakeContainer(iter(feed))
    is_stopped = threading.Event()
    frames = LiveFrames(fake_video(container), should_stop=is_stopped.is_set)
    feed.allow(1)
    assert number_of(frames.next()) == 0
    threading.Timer(0.01, is_stopped.set).start()
    assert frames.next() is None
    feed.allow(1)
    frames.close()
    assert container.is_closed
    assert frames.next() is None


def test_a_sequence_that_was_not_begun_is_closed():
    container = FakeContainer([])
    LiveFrames(fake_video(container)).close()
    assert container.is_closed


def test_a_camera_without_a_frame_yet_is_read_again():
    """avfoundation on macOS: EAGAIN ends PyAV's demuxer."""
    container = FakeContainer([fake_frame(0), av.BlockingIOError(35, "try again"), fake_frame(1)])
    assert [number_of(image) for image in fake_video(container).images()] == [0, 1]
