"""A track has at most one observation per frame, always of the same point, and each point at most one track."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tests.helpers.synthetic_sequences import KnownSequence

from tiepoint.video import Observations, Tracker, Tracks

POINTS = 60

FRAMES = st.lists(st.frozensets(st.integers(0, POINTS - 1), max_size=POINTS), min_size=1, max_size=12)


@settings(max_examples=60)
@given(visible=FRAMES, min_tracked=st.floats(0, 1))
@pytest.mark.slow
def test_tracks_never_mix_points(visible: list[frozenset[int]], min_tracked: float):
    frames = [{point: (point, number) for point in sorted(seen)} for number, seen in enumerate(visible)]
    sequence = KnownSequence(frames)
    tracker = Tracker(sequence, min_tracked=min_tracked)
    observations = Observations.joined([tracker.step(image) for image in sequence.images()])
    tracks = Tracks.of(observations, num_frames=len(frames), image_size=(64, 48))
    rows = list(zip(tracks.track_ids.tolist(), tracks.frames.tolist(), tracks.points.tolist(), strict=True))
    assert rows == sorted(rows)
    assert len(tracks) == tracker.num_tracks == len({track for track, _, _ in rows})
    assert all(length >= 2 for length in tracks.lengths)
    point_of: dict[int, float] = {}
    for track, frame, (x, y) in rows:
        assert y == frame, "a point is where it is in its frame"
        assert point_of.setdefault(track, x) == x, "a track is one point"
    assert max(Counter((frame, x) for _, frame, (x, _) in rows).values(), default=1) == 1
    assert max(Counter((track, frame) for track, frame, _ in rows).values(), default=1) == 1
