"""Tracks: positions of tracked points in the frames of a sequence."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from tiepoint.io.serialization import to_plain, write_arrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observations:
    """Observations of tracks, one per row.

    Attributes:
        track_ids: Id of the track.
        frames: Index of the frame in the sequence, including skipped frames.
        points: Coordinates (x, y) in px of the upright frame; the center of the top-left pixel is (0, 0).
        scores: Score of the match with the keyframe or the previous frame; 1 for the first observation of a track.
    """

    track_ids: Int32[np.ndarray, "n"]
    frames: Int32[np.ndarray, "n"]
    points: Float32[np.ndarray, "n 2"]
    scores: Float32[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.track_ids)

    @classmethod
    def in_frame(cls, frame: int, track_ids: np.ndarray, points: np.ndarray, scores: Any) -> "Observations":
        """Build the observations of one frame, with one score for all or one per observation."""
        count = len(track_ids)
        return cls(
            track_ids=np.asarray(track_ids, np.int32),
            frames=np.full(count, frame, np.int32),
            points=np.asarray(points, np.float32).reshape(count, 2),
            scores=np.broadcast_to(np.asarray(scores, np.float32), (count,)).copy(),
        )

    @classmethod
    def joined(cls, parts: Iterable["Observations"]) -> "Observations":
        """Concatenate observations in the given order."""
        listed = [cls.in_frame(0, np.zeros(0), np.zeros((0, 2)), 1), *parts]
        columns = {
            name: np.concatenate([getattr(part, name) for part in listed])
            for name in ("track_ids", "frames", "points", "scores")
        }
        return cls(**columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tracks:
    """Tracked points of a sequence: one row per observation, sorted by track id, then by frame.

    Attributes:
        track_ids: Id of the track, from 0 to the number of tracks - 1, in order of their first frames.
        frames: Index of the frame in the sequence, including skipped and dropped frames.
        points: Coordinates (x, y) in px of the upright frame; the center of the top-left pixel is (0, 0).
        scores: Score of the match with the keyframe or the previous frame; 1 for the first observation of a track.
        num_frames: Number of frames of the sequence, including skipped and dropped frames.
        image_size: Size (width, height) in px of every frame.
        keyframes: Indices of the keyframes, whose keypoints are tracked in the frames that follow.
        problems: Skipped frames, one message per frame.
        source: Path of the video or folder, or name of the camera or URL without credentials, if there is one.
        num_dropped: Number of frames of a live source that were dropped to keep up with it.
        seconds: Time in s in which a live source was tracked; None for other sources.
    """

    track_ids: Int32[np.ndarray, "n"]
    frames: Int32[np.ndarray, "n"]
    points: Float32[np.ndarray, "n 2"]
    scores: Float32[np.ndarray, "n"]
    num_frames: int
    image_size: tuple[int, int]
    keyframes: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    source: str | None = None
    num_dropped: int = 0
    seconds: float | None = None

    @classmethod
    def of(cls, observations: Observations, **known: Any) -> "Tracks":
        """Sort observations by track and frame; `known` are the remaining attributes."""
        order = np.lexsort((observations.frames, observations.track_ids))
        columns = {
            name: getattr(observations, name)[order] for name in ("track_ids", "frames", "points", "scores")
        }
        return cls(**columns, **known)

    def __repr__(self) -> str:
        return f"Tracks({len(self)} tracks in {self.num_frames} frames, {len(self.keyframes)} keyframes)"

    def __len__(self) -> int:
        """Return the number of tracks."""
        return int(self.track_ids[-1]) + 1 if len(self.track_ids) else 0

    @property
    def num_tracked_frames(self) -> int:
        """Number of frames that were neither skipped nor dropped."""
        return self.num_frames - self.num_dropped - len(self.problems)

    @property
    def lengths(self) -> Int[np.ndarray, "t"]:
        """Number of observations per track, at least 2."""
        return np.bincount(self.track_ids, minlength=len(self))

    def between(self, frame0: int, frame1: int) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Return corresponding points of two frames in px, one row per common track, e.g. for `estimate_fundamental`.

        Args:
            frame0: Index of the first frame.
            frame1: Index of the second frame.
        """
        rows0, rows1 = (np.flatnonzero(self.frames == frame) for frame in (frame0, frame1))
        _, at0, at1 = np.intersect1d(
            self.track_ids[rows0], self.track_ids[rows1], assume_unique=True, return_indices=True
        )
        return self.points[rows0[at0]], self.points[rows1[at1]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return to_plain(self._contents())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to a file, atomically.

        Args:
            path: Output path (.npz or .json).

        Raises:
            InvalidInput: If the suffix is not supported, or the file cannot be written.
        """
        return write_arrays(self._contents(), path)

    def _contents(self) -> dict[str, Any]:
        names = (
            "source",
            "num_frames",
            "num_dropped",
            "seconds",
            "image_size",
            "keyframes",
            "problems",
            "track_ids",
            "frames",
            "points",
            "scores",
        )
        return {name: getattr(self, name) for name in names}
