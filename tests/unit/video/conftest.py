"""A short video."""

from fractions import Fraction
from pathlib import Path

import pytest
from tests.helpers.numbered_video import COUNT, noisy

from tiepoint.video.encoding import video_writer


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with video_writer(path, Fraction(12)) as write:
        for number in range(COUNT):
            write(noisy(number, (97, 65)))
    return path
