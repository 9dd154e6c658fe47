"""Tracker: track ids, keyframe changes, memory."""

import weakref

import numpy as np
import pytest
from tests.helpers.synthetic_sequences import KnownSequence, frame_image, sliding

from tiepoint.errors import InvalidInput
from tiepoint.types import Features
from tiepoint.video import Observations, Tracker, Tracks
from tiepoint.video.tracker import MAX_LOST_FRAMES, MIN_MATCHES


def tracks_of(sequence: KnownSequence, min_tracked: float = 0.4) -> tuple[Tracks, Tracker]:
    tracker = Tracker(sequence, min_tracked=min_tracked)
    parts = [tracker.step(image) for image in sequence.images()]
    known = {"num_frames": tracker.num_frames, "image_size": (64, 48), "keyframes": tuple(tracker.keyframes)}
    return Tracks.of(Observations.joined(parts), **known), tracker


def physical(tracks: Tracks, frames: list) -> list[set[int]]:
    """Physical points of each track, identified by their coordinates."""
    found: list[set[int]] = [set() for _ in range(len(tracks))]
    for track, frame, (x, y) in zip(tracks.track_ids, tracks.frames, tracks.points, strict=True):
        there = {tuple(map(float, place)): point for point, place in frames[frame].items()}
        found[track].add(there[float(x), float(y)])
    return found


STILL = [{point: (point, frame) for point in range(40)} for frame in range(6)]


def test_visible_points_have_one_track_each():
    tracks, tracker = tracks_of(KnownSequence(STILL))
    assert len(tracks) == 40
    assert tracks.lengths.tolist() == [6] * 40
    assert tracker.keyframes == [0]
    assert physical(tracks, STILL) == [{point} for point in range(40)]
    first = tracks.track_ids == 0
    assert tracks.points[first].tolist() == [[0, frame] for frame in range(6)]
    assert tracks.scores[first].tolist() == pytest.approx([1, 0.9, 0.9, 0.9, 0.9, 0.9])


def test_track_ids_persist_across_keyframes():
    frames = sliding(20)
    tracks, tracker = tracks_of(KnownSequence(frames))
    assert len(tracker.keyframes) > 3
    assert all(len(points) == 1 for points in physical(tracks, frames))
    # a point is in sight for 8 frames; whoever is seen by two keyframes has one track still
    long = tracks.lengths > 5
    assert long.sum() > 40
    spans = [tracks.frames[tracks.track_ids == track] for track in np.flatnonzero(long)]
    assert any((np.isin(tracker.keyframes, span).sum()) >= 2 for span in spans)
    points = [points.pop() for points in physical(tracks, frames)]
    assert len(points) == len(set(points)), "no point has two tracks"


def test_the_previous_frame_is_matched_only_when_the_keyframe_changes():
    sequence = KnownSequence(sliding(8))
    _, tracker = tracks_of(sequence)
    changes = tracker.keyframes[1:]
    extra = [(first, last) for first, last in sequence.matched if last in changes]
    assert len(sequence.matched) == 7 + len([last for last in changes if (last - 1, last) in extra])
    assert changes == [5]
    assert sequence.matched[:6] == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (4, 5)]


@pytest.mark.parametrize("lost", range(1, MAX_LOST_FRAMES))
def test_a_flash_does_not_interrupt_tracks(lost: int):
    frames = [*STILL[:2], *[{} for _ in range(lost)], *STILL[2:]]
    tracks, tracker = tracks_of(KnownSequence(frames))
    assert tracker.keyframes == [0]
    assert tracks.lengths.tolist() == [6] * 40


def test_a_cut_starts_over_with_new_tracks():
    other = [{point: (point - 100, 7) for point in range(100, 130)} for _ in range(5)]
    tracks, tracker = tracks_of(KnownSequence([*STILL, *other]))
    assert tracker.keyframes == [0, 6 + MAX_LOST_FRAMES - 1]
    assert sorted(tracks.lengths.tolist()) == [3] * 30 + [6] * 40


def test_frames_with_few_matches_are_lost():
    frames = [STILL[0], {point: STILL[1][point] for point in range(MIN_MATCHES - 1)}]
    tracks, _ = tracks_of(KnownSequence(frames))
    assert len(tracks) == 0


def test_a_skipped_frame_keeps_its_index():
    sequence = KnownSequence(STILL)
    tracker = Tracker(sequence)
    tracker.step(frame_image(0))
    tracker.skip()
    assert set(tracker.step(frame_image(1)).frames.tolist()) == {0, 2}


def test_dropped_frames_are_counted_and_move_the_index():
    tracker = Tracker(KnownSequence(STILL))
    tracker.step(frame_image(0))
    tracker.drop(4)
    tracker.drop(0)
    assert set(tracker.step(frame_image(1)).frames.tolist()) == {0, 5}
    assert (tracker.num_frames, tracker.num_dropped) == (6, 4)
    with pytest.raises(InvalidInput, match="-1"):
        tracker.drop(-1)


def test_at_most_three_frames_of_features_are_in_memory():
    alive: list[weakref.ref] = []

    class Watched(KnownSequence):
        def extract(self, image) -> Features:
            features = super().extract(image)
            alive.append(weakref.ref(features.descriptors))
            return features

    sequence = Watched(sliding(40))
    tracker = Tracker(sequence)
    most = 0
    for image in sequence.images():
        tracker.step(image)
        most = max(most, sum(reference() is not None for reference in alive))
    assert len(alive) == 40
    assert most <= 3


@pytest.mark.parametrize("min_tracked", [-0.1, 1.1])
def test_the_minimum_fraction_is_in_0_to_1(min_tracked: float):
    with pytest.raises(InvalidInput, match="min_tracked must be in"):
        Tracker(KnownSequence(STILL), min_tracked=min_tracked)
