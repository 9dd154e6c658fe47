"""Latency budget of frames: one extraction and at most two matches of each frame share it."""

from collections.abc import Sequence

from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import PairClock
from tiepoint.result import MatchResult
from tiepoint.types import Features

# Fraction of the time for matching that the match with the keyframe may use. A frame that becomes a keyframe is also
# matched with the previous frame.
FIRST_MATCH_SHARE = 0.65


class FrameBudget:
    """Extract and match each frame within a latency budget; a `FrameMatcher` of `Tracker`.

    Args:
        matcher: Matcher with a latency budget, from decoded pixels to matches of a frame.

    Raises:
        InvalidInput: If the matcher has no budget.
    """

    def __init__(self, matcher: Matcher) -> None:
        if matcher.budget is None:
            raise InvalidInput("expected a matcher that was loaded with a latency budget, got one without")
        self.matcher = matcher
        self.budget = matcher.budget
        self._clock: PairClock | None = None
        self._is_first_match = True

    def extract(self, image: Image) -> Features:
        """Start the clock of a frame, and extract its features."""
        self._clock, self._is_first_match = self.budget.start(), True
        (features,) = self.matcher.extract_within([(image, None)], self._clock)
        return features

    def match_features(self, pairs: Sequence[tuple[Features, Features]]) -> list[MatchResult]:
        """Match the features of the frame with those of earlier frames, in the time that is left."""
        return [self._match(pair) for pair in pairs]

    def _match(self, pair: tuple[Features, Features]) -> MatchResult:
        clock = self._clock or self.budget.start()
        if self._is_first_match:
            clock, self._is_first_match = clock.shortened(FIRST_MATCH_SHARE), False
        return self.matcher.match_within(pair, clock)
