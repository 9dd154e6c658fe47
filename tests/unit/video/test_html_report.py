"""The page of tracks: sampled frames, charts, common tracks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.html.embedding import EmbeddedImage
from tiepoint.image import Image
from tiepoint.video import Observations, Tracks
from tiepoint.video.html_report import FrameSampler, write_tracks_page

NOTHING = Observations.joined([])
SIZE = (40, 30)


def image_of(frame: int) -> Image:
    return Image(pixels=torch.full((3, SIZE[1], SIZE[0]), frame % 256, dtype=torch.uint8))


def tracks_of(frames: int, count: int = 9) -> Tracks:
    """All points are observed in all frames, and move by 1 px per frame."""
    points = np.random.default_rng(0).uniform(0, 20, (count, 2))
    parts = [
        Observations.in_frame(frame, np.arange(count), points + np.array([frame, 0]), 1.0)
        for frame in range(frames)
    ]
    return Tracks.of(
        Observations.joined(parts),
        num_frames=frames,
        image_size=SIZE,
        keyframes=(0, 2),
        problems=("frame <3>",),
    )


@pytest.mark.parametrize("length", [1, 5, 24, 25, 100, 1000])
def test_sampled_frames_are_evenly_distributed(length: int) -> None:
    sampler = FrameSampler(max_frames=12)
    for frame in range(length):
        sampler(image_of(frame), NOTHING)
    indices = [frame for frame, _ in sampler.frames()]
    assert len(indices) == min(12, length)
    assert indices[0] == 0
    gaps = np.diff(indices)
    assert not len(gaps) or gaps.max() <= 2 * gaps.min() + sampler.stride
    assert len(sampler.kept) <= 24


def test_skipped_and_dropped_frames_keep_their_index() -> None:
    sampler = FrameSampler()
    sampler(image_of(0), NOTHING)
    sampler.skip("unreadable")
    sampler.drop(3)
    sampler(image_of(5), NOTHING)
    assert [frame for frame, _ in sampler.frames()] == [0, 5]


def test_pairs_have_the_common_tracks(tmp_path: Path) -> None:
    frames = [(frame, EmbeddedImage(f"data:{frame}", SIZE, SIZE)) for frame in (0, 2, 4)]
    page = write_tracks_page(tracks_of(5), frames, tmp_path / "t.html").read_text(encoding="utf-8")
    pairs = [json.loads(text) for text in re.findall(r'id="pair-\d">(.*?)</script>', page, re.DOTALL)]
    assert [[image["name"] for image in pair["images"]] for pair in pairs] == [
        ["frame 0", "frame 2"],
        ["frame 2", "frame 4"],
    ]
    moved = [np.subtract(pair["keypoints"][1], pair["keypoints"][0]).reshape(-1, 2) for pair in pairs]
    np.testing.assert_allclose(moved, np.tile([2.0, 0], (2, 9, 1)), atol=0.02)
    assert "frame &lt;3&gt;" in page
    assert page.count("<svg") == 2


@pytest.mark.parametrize("frames", [1, 2000])
def test_short_and_long_sequences(frames: int, tmp_path: Path) -> None:
    tracks = tracks_of(frames, count=0 if frames == 1 else 2)
    page = write_tracks_page(tracks, [], tmp_path / "t.html").read_text(encoding="utf-8")
    assert f"<td>{frames:,}</td>" in page
    assert page.count("<rect") < 700


def test_only_pages_are_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"t\.png"):
        write_tracks_page(tracks_of(2), [], tmp_path / "t.png")
