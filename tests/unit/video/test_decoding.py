"""Videos are decoded frame by frame; damaged frames are reported."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from tests.helpers.numbered_video import COUNT, noisy

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.image import Image
from tiepoint.video import decoding
from tiepoint.video.decoding import open_video, upright_image
from tiepoint.video.encoding import video_writer


def test_a_written_video_is_read_back(clip: Path):
    frames = list(open_video(clip).images())
    assert [frame.image_size for frame in frames if isinstance(frame, Image)] == [(96, 64)] * COUNT
    brightness = [float(frame.pixels.float().mean()) for frame in frames if isinstance(frame, Image)]
    assert brightness == pytest.approx([50 + 5 * number for number in range(COUNT)], abs=6)
    assert open_video(clip).rate == 12
    assert open_video(clip).num_frames == COUNT


def test_a_damaged_frame_is_reported_and_the_others_are_decoded(clip: Path, tmp_path: Path):
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        places = [(packet.pos, packet.size) for packet in packets]
    data = bytearray(clip.read_bytes())
    position, size = places[COUNT // 2]
    data[position : position + size] = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    frames = list(open_video(path).images())
    broken = [str(frame) for frame in frames if isinstance(frame, InvalidInput)]
    assert len(frames) == COUNT
    assert 1 <= len(broken) < COUNT // 2
    assert all(text.startswith("frame ") and "damaged.mp4" in text and "\n" not in text for text in broken)


def test_a_truncated_file_yields_its_leading_frames(tmp_path: Path):
    path = tmp_path / "whole.mkv"
    with video_writer(path) as write:
        for number in range(COUNT):
            write(noisy(number, (96, 64)))
    half = tmp_path / "half.mkv"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    good = [frame for frame in open_video(half).images() if isinstance(frame, Image)]
    assert 3 < len(good) < COUNT


class BreaksOff:
    """A video that is damaged after a number of packets."""

    def __init__(self, path: Path, packets: int) -> None:
        self.container = av.open(str(path))
        self.streams = self.container.streams
        self.packets = packets

    def demux(self) -> Iterator[object]:
        yield from islice(self.container.demux(), self.packets)
        raise av.InvalidDataError(1, "broken off")

    def __enter__(self) -> "BreaksOff":
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()


def test_buffered_frames_are_flushed_at_a_truncated_position(clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "open_container", lambda source: BreaksOff(source.path, 12))
    *good, problem = open_video(clip).images()
    assert [isinstance(frame, Image) for frame in good] == [True] * 12
    brightness = [float(frame.pixels.float().mean()) for frame in good if isinstance(frame, Image)]
    assert brightness == sorted(brightness)
    assert str(problem).startswith(f"frame 12 of {clip}: cannot read the rest of the file (")


def test_an_invalid_video_is_reported_in_one_line(tmp_path: Path):
    path = tmp_path / "text.mp4"
    path.write_text("hello " * 100)
    with pytest.raises(InvalidInput, match=r"text\.mp4 as a video \(Invalid data") as caught:
        list(open_video(path).images())
    assert "\n" not in str(caught.value)


def test_an_audio_file_is_refused(tmp_path: Path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    with pytest.raises(InvalidInput, match="no video stream"):
        open_video(path).images()


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 1), (-90, 3), (180, 2), (-180, 2)])
def test_rotation_metadata_is_applied(rotation: int, turns: int):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    frame = SimpleNamespace(rotation=rotation, to_ndarray=lambda **_: pixels)
    assert np.array_equal(upright_image(frame).pixels.permute(1, 2, 0).numpy(), np.rot90(pixels, turns))


def test_a_missing_pyav_is_reported(clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match="av"):
        open_video(clip).images()
