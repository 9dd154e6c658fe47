"""Videos that end early are named in every container, and complete ones never."""

from pathlib import Path

import av
import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.video.decoding import open_video

COUNT = 24
CONTAINERS = {
    "a.avi": ("mpeg4", {}),
    "a.mkv": ("mpeg4", {}),
    "b.mkv": ("libx264", {}),
    "a.webm": ("libvpx", {}),
    "a.ts": ("mpeg2video", {}),
    "b.ts": ("libx264", {}),
    "a.mp4": ("libx264", {"movflags": "faststart"}),
    "fragments.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "a.mov": ("mpeg4", {"movflags": "faststart"}),
    "a.flv": ("libx264", {}),
    "a.mpg": ("mpeg2video", {}),
}


@pytest.fixture(scope="module", params=CONTAINERS)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of 64 x 48 px: all frames have about the same size."""
    codec, options = CONTAINERS[request.param]
    path = tmp_path_factory.mktemp("videos") / request.param
    random = np.random.default_rng(0)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25 if codec == "mpeg2video" else 10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(COUNT):
            pixels = random.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_complete_video_has_no_problem(video: Path) -> None:
    frames = list(open_video(video).images())
    assert len(frames) == COUNT
    assert all(isinstance(frame, Image) for frame in frames)


@pytest.mark.parametrize("kept", [0.5, 0.7, 0.85])
def test_a_truncated_video_is_named_and_its_leading_frames_are_kept(
    video: Path, kept: float, tmp_path: Path
) -> None:
    path = tmp_path / video.name
    size = int(kept * video.stat().st_size) // 188 * 188 + 100  # not between two packets of MPEG-TS
    path.write_bytes(video.read_bytes()[:size])
    items = list(open_video(path).images())
    frames = [item for item in items if isinstance(item, Image)]
    problems = [str(item) for item in items if isinstance(item, InvalidInput)]
    assert 0 < len(frames) <= COUNT
    assert problems
    assert all(path.name in problem for problem in problems)


def test_the_share_that_is_left_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    *_, last = open_video(path).images()
    assert isinstance(last, InvalidInput)
    assert "ends early" in str(last)
    assert "of 3.0 s" in str(last)


def test_an_mp4_without_its_index_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    with pytest.raises(InvalidInput, match=r"a\.mp4 as a video .*lacks its index"):
        open_video(path).images()


def test_longer_audio_is_no_missing_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream("mpeg4", rate=10), container.add_stream("aac", rate=8000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            container.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        for number in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * number
            container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    items = list(open_video(path).images())
    assert len(items) == 10
    assert all(isinstance(item, Image) for item in items)
