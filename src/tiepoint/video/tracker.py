"""Tracker: the keypoints of a keyframe are looked for in every frame, until too few are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.result import MatchResult
from tiepoint.types import Features
from tiepoint.video.tracks import Observations

NO_TRACK = -1

FEWEST = 16
"""Matches; with fewer, chance alone may have made them, and a frame counts as lost."""

PATIENCE = 3
"""Lost frames in a row that are taken for a cut: the newest becomes the keyframe. Fewer are a flash, or a blur."""


@runtime_checkable
class FrameMatcher(Protocol):
    """What `Tracker` asks of a `Matcher`."""

    def extract(self, image: Image) -> Features:
        """Keypoints and descriptors of one frame."""
        ...

    def match_features(self, pairs: Sequence[tuple[Features, Features]]) -> list[MatchResult]:
        """One result a pair, in the same order."""
        ...


@dataclass(slots=True, eq=False)
class View:
    """A frame, and which of its keypoints belong to which track."""

    frame: int
    features: Features
    track_ids: Int64[np.ndarray, "n"]

    @property
    def points(self) -> Float[np.ndarray, "n 2"]:
        """Its keypoints in px."""
        return self.features.keypoints.detach().float().cpu().numpy()


class Tracker:
    """Follow keypoints from frame to frame; three frames' features are kept, whatever the length of the sequence.

    Each frame is matched with the keyframe, so that points don't drift and one that was hidden is found again. Where too
    few of the keyframe's keypoints are found, the frame is matched with the one before it as well, and becomes the
    keyframe itself: tracks that either knows keep their numbers.

    Args:
        matcher: from `tiepoint.load`.
        min_share: share of the keyframe's keypoints, in [0, 1]; where fewer are found, the keyframe changes.

    Attributes:
        keyframes: indices of all keyframes until now.

    Raises:
        InvalidInput: a share that isn't in [0, 1].

    Example:
        >>> tracker = Tracker(tiepoint.load(max_keypoints=1024, resize=640))
        >>> observations = tracker.step(image)
    """

    def __init__(self, matcher: FrameMatcher, *, min_share: float = 0.4) -> None:
        if not 0 <= min_share <= 1:
            raise InvalidInput(f"min_share must be a share from 0 to 1, but is {min_share!r}")
        self.matcher = matcher
        self.min_share = min_share
        self.keyframes: list[int] = []
        self.num_frames = 0
        self.num_tracks = 0
        self._key: View | None = None
        self._last: View | None = None
        self._lost = 0

    def step(self, image: Image) -> Observations:
        """Follow the points into the next frame.

        Args:
            image: upright.

        Returns:
            The points that were found in this frame; and where a track begins with it, its point in the frame before.
        """
        features = self.matcher.extract(image)
        view = View(self.num_frames, features, np.full(len(features), NO_TRACK, np.int64))
        self.num_frames += 1
        if self._key is None or self._last is None:
            return self._make_key(view, [])
        result = self._match(self._key, view)
        if len(result) < max(FEWEST, self.min_share * len(self._key.features)):
            return self._change_key(view, self._key, self._last, result)
        self._last, self._lost = view, 0
        return self._carry_over(self._key, view, result)

    def skip(self) -> None:
        """Count a frame that can't be used."""
        self.num_frames += 1

    def _match(self, known: View, view: View) -> MatchResult:
        (result,) = self.matcher.match_features([(known.features, view.features)])
        return result

    def _change_key(self, view: View, key: View, last: View, result: MatchResult) -> Observations:
        found = [(key, result)]
        if last is not key:
            found.append((last, self._match(last, view)))
        trusted = [(known, matched) for known, matched in found if len(matched) >= FEWEST]
        if trusted or self._lost + 1 == PATIENCE:
            return self._make_key(view, trusted)
        self._lost += 1
        return Observations.joined([])

    def _make_key(self, view: View, found: Sequence[tuple[View, MatchResult]]) -> Observations:
        """The new keyframe takes over the tracks of those that it was matched with, the first ones first."""
        carried = [self._carry_over(known, view, result) for known, result in found]
        self._key, self._last, self._lost = view, view, 0
        self.keyframes.append(view.frame)
        return Observations.joined(carried)

    def _carry_over(self, known: View, view: View, result: MatchResult) -> Observations:
        """Give matched keypoints of `view` the tracks of their partners; partners without one begin a track."""
        old, new = result.matches.T
        ids = known.track_ids[old]
        # a track is in a frame once, and a keypoint in one track
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
