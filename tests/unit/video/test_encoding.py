"""Videos are written atomically in several formats."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from tests.helpers.numbered_video import noisy

from tiepoint.errors import InvalidInput
from tiepoint.video.decoding import open_video
from tiepoint.video.encoding import VIDEO_FORMATS, check_video, video_writer


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".avi"])
def test_other_formats(suffix: str, tmp_path: Path):
    path = tmp_path / f"clip{suffix}"
    with video_writer(path) as write:
        for number in range(3):
            write(noisy(number, (32, 32)))
    assert len(list(open_video(path).images())) == 3


def test_an_error_leaves_no_partial_file(tmp_path: Path):
    with pytest.raises(RuntimeError, match="stop"):
        fail_after_a_frame(tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def fail_after_a_frame(path: Path) -> None:
    with video_writer(path) as write:
        write(noisy(0, (32, 32)))
        raise RuntimeError("stop")


def test_an_unsupported_suffix_is_refused_before_starting(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"'clip\.png'.*\.mp4"):
        check_video(tmp_path / "clip.png")


@pytest.mark.parametrize("suffix", VIDEO_FORMATS)
def test_a_frame_is_held_for_dropped_ones(suffix: str, tmp_path: Path):
    path = tmp_path / f"clip{suffix}"
    with video_writer(path, Fraction(10)) as write:
        write.hold(9)  # there is nothing to show yet
        write(noisy(0, (32, 32)))
        write.hold(3)
        write(noisy(1, (32, 32)))
        write(noisy(2, (32, 32)))
    with av.open(str(path)) as container:
        shown = [
            (frame.time, float(frame.to_ndarray(format="gray").mean())) for frame in container.decode(video=0)
        ]
    start, levels = shown[0][0], (shown[0][1], shown[-2][1], shown[-1][1])
    changes = [next(time for time, level in shown if level >= limit - 0.5) - start for limit in levels]
    assert changes == pytest.approx([0, 0.4, 0.5], abs=0.002)
