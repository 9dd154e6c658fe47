"""Tracks: sorted rows, corresponding points of two frames, files."""

import json
from pathlib import Path

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.video import Observations, Tracks


def three_frames() -> Tracks:
    """Track 0 in frames 0 and 2, track 1 in all."""
    parts = [
        Observations.in_frame(1, np.array([1]), np.array([[5, 6]]), [0.5]),
        Observations.in_frame(0, np.array([1, 0]), np.array([[3, 4], [1, 2]]), 1.0),
        Observations.in_frame(2, np.array([0, 1]), np.array([[9, 9], [7, 8]]), [0.25, 0.75]),
    ]
    return Tracks.of(
        Observations.joined(parts),
        num_frames=3,
        image_size=(20, 10),
        keyframes=(0,),
        problems=("frame 7",),
        source="clip.mp4",
    )


def test_rows_are_sorted_by_track_then_frame():
    tracks = three_frames()
    assert tracks.track_ids.tolist() == [0, 0, 1, 1, 1]
    assert tracks.frames.tolist() == [0, 2, 0, 1, 2]
    assert tracks.points.tolist() == [[1, 2], [9, 9], [3, 4], [5, 6], [7, 8]]
    assert tracks.scores.tolist() == [1, 0.25, 1, 0.5, 0.75]
    assert len(tracks) == 2
    assert tracks.lengths.tolist() == [2, 3]


def test_corresponding_points_of_two_frames_have_the_same_order():
    points0, points2 = three_frames().between(0, 2)
    assert points0.tolist() == [[1, 2], [3, 4]]
    assert points2.tolist() == [[9, 9], [7, 8]]
    assert [points.tolist() for points in three_frames().between(1, 0)] == [[[5, 6]], [[3, 4]]]


def test_no_observations():
    tracks = Tracks.of(Observations.joined([]), num_frames=1, image_size=(2, 2))
    assert len(tracks) == 0
    assert tracks.lengths.tolist() == []
    assert [points.shape for points in tracks.between(0, 1)] == [(0, 2), (0, 2)]


def test_files_contain_everything(tmp_path: Path):
    tracks = three_frames()
    with np.load(tracks.save(tmp_path / "t.npz")) as arrays:
        assert {name: arrays[name].tolist() for name in arrays} == {
            name: value
            for name, value in json.loads(json.dumps(tracks.to_dict())).items()
            if value is not None
        }
        assert arrays["points"].dtype == np.float32
    assert json.loads(tracks.save(tmp_path / "t.json").read_text()) == json.loads(
        json.dumps(tracks.to_dict())
    )
    assert tracks.to_dict()["keyframes"] == [0]


def test_an_unsupported_suffix_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"\.npz or \.json"):
        three_frames().save(tmp_path / "t.csv")
