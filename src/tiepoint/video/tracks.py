"""Tracks: which point was where in which frame."""

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
    """Points of tracks in frames, one a row.

    Attributes:
        track_ids: number of the track.
        frames: index of the frame in its sequence, broken ones counted too.
        points: (x, y) in px of the frame, upright, the center of its top-left pixel = (0, 0).
        scores: confidence that it is the same point as in the frame that it was matched with, as a match has; 1 where
            a track begins.
    """

    track_ids: Int32[np.ndarray, "n"]
    frames: Int32[np.ndarray, "n"]
    points: Float32[np.ndarray, "n 2"]
    scores: Float32[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.track_ids)

    @classmethod
    def in_frame(cls, frame: int, track_ids: np.ndarray, points: np.ndarray, scores: Any) -> "Observations":
        """Points of one frame; one score for all, or one each."""
        count = len(track_ids)
        return cls(
            track_ids=np.asarray(track_ids, np.int32),
            frames=np.full(count, frame, np.int32),
            points=np.asarray(points, np.float32).reshape(count, 2),
            scores=np.broadcast_to(np.asarray(scores, np.float32), (count,)).copy(),
        )

    @classmethod
    def joined(cls, parts: Iterable["Observations"]) -> "Observations":
        """All rows, in the given order."""
        listed = [cls.in_frame(0, np.zeros(0), np.zeros((0, 2)), 1), *parts]
        columns = {
            name: np.concatenate([getattr(part, name) for part in listed])
            for name in ("track_ids", "frames", "points", "scores")
        }
        return cls(**columns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tracks:
    """Points followed through a sequence: one row an observation, by rising track and then by rising frame.

    Attributes:
        track_ids: number of the track, 0 to the number of tracks - 1, in the order in which they began.
        frames: as in `Observations`, as are `points` and `scores`.
        points: in px of the frame.
        scores: of the match that found the point.
        num_frames: of the sequence, broken ones counted too.
        image_size: (width, height) in px of every frame.
        keyframes: indices of the frames whose keypoints were looked for in those that came after.
        problems: frames that could not be used, one line each.
        source: path of the video or folder, where there is one.
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

    @classmethod
    def of(cls, observations: Observations, **known: Any) -> "Tracks":
        """Sort observations; `known` are the other attributes."""
        order = np.lexsort((observations.frames, observations.track_ids))
        columns = {
            name: getattr(observations, name)[order] for name in ("track_ids", "frames", "points", "scores")
        }
        return cls(**columns, **known)

    def __len__(self) -> int:
        """The number of tracks."""
        return int(self.track_ids[-1]) + 1 if len(self.track_ids) else 0

    @property
    def lengths(self) -> Int[np.ndarray, "t"]:
        """In how many frames each track was seen; at least 2."""
        return np.bincount(self.track_ids, minlength=len(self))

    def between(self, frame0: int, frame1: int) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Points of the tracks that two frames share, in px of each, one row a track: `estimate_fundamental` takes them.

        Args:
            frame0: index of a frame.
            frame1: of another one.
        """
        rows0, rows1 = (np.flatnonzero(self.frames == frame) for frame in (frame0, frame1))
        _, at0, at1 = np.intersect1d(
            self.track_ids[rows0], self.track_ids[rows1], assume_unique=True, return_indices=True
        )
        return self.points[rows0[at0]], self.points[rows1[at1]]

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain lists and numbers."""
        return to_plain(self._contents())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to a file; it appears whole or not at all.

        Args:
            path: ends in .npz (NumPy) or .json.

        Raises:
            InvalidInput: another ending, or the file can't be written.
        """
        return write_arrays(self._contents(), path)

    def _contents(self) -> dict[str, Any]:
        names = (
            "source",
            "num_frames",
            "image_size",
            "keyframes",
            "problems",
            "track_ids",
            "frames",
            "points",
            "scores",
        )
        return {name: getattr(self, name) for name in names}
