"""Tracker: match every frame with the keyframe, until too few of its keypoints are tracked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.io.validation import check_integer
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.types import Features
from tiepoint.video.frame_budget import FrameBudget
from tiepoint.video.tracks import Observations

NO_TRACK = -1

MIN_MATCHES = 16
# A frame with fewer matches is lost: they may be random

MAX_LOST_FRAMES = 3
# Consecutive lost frames that indicate a cut: the last one becomes the keyframe. Fewer may be a flash or motion blur.


@runtime_checkable
class FrameMatcher(Protocol):
    """Methods of a `Matcher` that `Tracker` uses."""

    def extract(self, image: Image) -> Features:
        """Return keypoints and descriptors of one frame."""
        ...

    def match_features(self, pairs: Sequence[tuple[Features, Features]]) -> list[MatchResult]:
        """Return one result per pair, in the same order."""
        ...


@dataclass(slots=True, eq=False)
class View:
    """A frame and the track id of each of its keypoints (`NO_TRACK` if none)."""

    frame: int
    features: Features
    track_ids: Int64[np.ndarray, "n"]

    @property
    def points(self) -> Float[np.ndarray, "n 2"]:
        """Keypoint coordinates in px."""
        return self.features.keypoints.detach().float().cpu().numpy()


class Tracker:
    """Track keypoints from frame to frame; keeps the features of three frames, whatever the length of the sequence.

    Each frame is matched with the keyframe, so that points do not drift and occluded points are recovered. If too few of
    the keyframe's keypoints are tracked, the frame is also matched with the previous frame and becomes the new keyframe;
    the tracks of both keep their ids.

    Args:
        matcher: Matcher from `tiepoint.load`; its latency budget limits each frame, from decoded pixels to matches.
        min_tracked: Minimum fraction of the keyframe's keypoints that must be tracked, in [0, 1]; below it, a new
            keyframe is created.

    Attributes:
        keyframes: Indices of all keyframes so far.
        num_frames: Number of frames so far, including skipped and dropped ones.
        num_dropped: Number of frames that were dropped to keep up with a live source.

    Raises:
        InvalidInput: If `min_tracked` is not in [0, 1].

    Example:
        >>> tracker = Tracker(tiepoint.load(max_keypoints=1024, resize=640))
        >>> observations = tracker.step(image)
    """

    def __init__(self, matcher: FrameMatcher, *, min_tracked: float = 0.4) -> None:
        if not 0 <= min_tracked <= 1:
            raise InvalidInput(f"min_tracked must be in [0, 1], got {min_tracked!r}")
        self.matcher = matcher
        if isinstance(matcher, Matcher) and matcher.budget is not None:
            self.matcher = FrameBudget(matcher)
        self.min_tracked = min_tracked
        self.keyframes: list[int] = []
        self.num_frames = 0
        self.num_dropped = 0
        self.num_tracks = 0
        self._key: View | None = None
        self._last: View | None = None
        self._lost = 0

    def step(self, image: Image) -> Observations:
        """Track the points into the next frame.

        Args:
            image: Upright image of the frame.

        Returns:
            Observations in this frame, and the first observation, in an earlier frame, of tracks that begin here.
        """
        features = self.matcher.extract(image)
        view = View(self.num_frames, features, np.full(len(features), NO_TRACK, np.int64))
        self.num_frames += 1
        if self._key is None or self._last is None:
            return self._make_key(view, [])
        result = self._match(self._key, view)
        if len(result) < max(MIN_MATCHES, self.min_tracked * len(self._key.features)):
            return self._change_key(view, self._key, self._last, result)
        self._last, self._lost = view, 0
        return self._carry_over(self._key, view, result)

    def skip(self) -> None:
        """Count a frame that cannot be used."""
        self.num_frames += 1

    def drop(self, count: int) -> None:
        """Count frames that a live source dropped before the next one; the next frame's index includes them.

        Args:
            count: Number of frames, at least 0.

        Raises:
            InvalidInput: If `count` is negative or not an integer.
        """
        self.num_dropped += check_integer("count", count, 0)
        self.num_frames += count

    def _match(self, known: View, view: View) -> MatchResult:
        (result,) = self.matcher.match_features([(known.features, view.features)])
        return result

    def _change_key(self, view: View, key: View, last: View, result: MatchResult) -> Observations:
        candidates = [(key, result)]
        if last is not key:
            candidates.append((last, self._match(last, view)))
        reliable = [(known, matched) for known, matched in candidates if len(matched) >= MIN_MATCHES]
        if reliable or self._lost + 1 == MAX_LOST_FRAMES:
            return self._make_key(view, reliable)
        self._lost += 1
        return Observations.joined([])

    def _make_key(self, view: View, matched: Sequence[tuple[View, MatchResult]]) -> Observations:
        """Create a keyframe; it continues the tracks of the frames it was matched with, in the given order."""
        carried = [self._carry_over(known, view, result) for known, result in matched]
        self._key, self._last, self._lost = view, view, 0
        self.keyframes.append(view.frame)
        return Observations.joined(carried)

    def _carry_over(self, known: View, view: View, result: MatchResult) -> Observations:
        """Assign the tracks of matched keypoints to `view`; matched keypoints without a track begin one."""
        old, new = result.matches.T
        ids = known.track_ids[old]
        # at most one observation per track and frame, and one track per keypoint
        free = (view.track_ids[new] == NO_TRACK) & ~(np.isin(ids, view.track_ids) & (ids != NO_TRACK))
        old, new, ids, scores = old[free], new[free], ids[free], result.scores[free]
        born = ids == NO_TRACK
        ids[born] = np.arange(self.num_tracks, self.num_tracks + born.sum())
        self.num_tracks += int(born.sum())
        known.track_ids[old] = view.track_ids[new] = ids
        return Observations.joined(
            [
                Observations.in_frame(known.frame, ids[born], known.points[old[born]], 1.0),
                Observations.in_frame(view.frame, ids, view.points[new], scores),
            ]
        )
