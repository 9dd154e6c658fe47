"""Videos are written atomically in several formats."""

from pathlib import Path

import pytest
from tests.helpers.numbered_video import noisy

from tiepoint.errors import InvalidInput
from tiepoint.video.decoding import decode_video
from tiepoint.video.encoding import check_video, video_writer


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".avi"])
def test_other_formats(suffix: str, tmp_path: Path):
    path = tmp_path / f"clip{suffix}"
    with video_writer(path) as write:
        for number in range(3):
            write(noisy(number, (32, 32)))
    assert len(list(decode_video(path))) == 3


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
