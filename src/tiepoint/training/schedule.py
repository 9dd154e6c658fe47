"""How the learning rate goes: a function of the share of the training that is done, and of nothing else.

So a run that was killed goes on with the rate that it would have had, and a budget of minutes serves as well as one of pairs.
"""

import math
from dataclasses import dataclass
from typing import Literal

from tiepoint.errors import InvalidInput

FIRST = 0.01
"""Share of the learning rate with which the warm-up begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Warm-up, then decay.

    Attributes:
        peak: the learning rate after the warm-up.
        warmup: share of the training that the warm-up takes, in [0, 1).
        decay: "cosine": from the peak at once; "exponential": at the peak until `hold`, then by the same factor in
            equal times, as LightGlue was trained.
        hold: share of the training after which an exponential decay begins.
        last: share of the peak at the end.
    """

    peak: float
    warmup: float = 0.02
    decay: Literal["cosine", "exponential"] = "cosine"
    hold: float = 0.5
    last: float = 0.01

    def __post_init__(self) -> None:
        if not (self.peak > 0 and 0 <= self.warmup < 1 and 0 <= self.hold < 1 and 0 < self.last <= 1):
            raise InvalidInput(
                f"a schedule needs peak > 0, warmup and hold in [0, 1) and last in (0, 1], but is {self}"
            )

    def learning_rate(self, done: float) -> float:
        """The rate of the next step.

        Args:
            done: share of the training that is done; above 1 counts as 1.
        """
        done = min(max(done, 0.0), 1.0)
        if done < self.warmup:
            return self.peak * (FIRST + (1 - FIRST) * done / self.warmup)
        return self.peak * (self._cosine(done) if self.decay == "cosine" else self._exponential(done))

    def _cosine(self, done: float) -> float:
        since = (done - self.warmup) / (1 - self.warmup)
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * since)) / 2

    def _exponential(self, done: float) -> float:
        begin = max(self.hold, self.warmup)
        return self.last ** (max(done - begin, 0.0) / (1 - begin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to train: so many pairs, or so many minutes; the minutes of all resumed parts together.

    Attributes:
        pairs: of images that the network sees.
        minutes: spent on training steps; validation and caching don't count.

    Raises:
        InvalidInput: neither, both, or not above 0.
    """

    pairs: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.pairs is None) == (self.minutes is None):
            raise InvalidInput(
                f"training lasts for pairs or for minutes, but got pairs={self.pairs} and minutes={self.minutes}; "
                "give one of them"
            )
        amount = self.minutes if self.pairs is None else self.pairs
        if amount is None or not (math.isfinite(amount) and amount > 0):
            raise InvalidInput(f"pairs or minutes must be a number above 0, but is {amount}")

    def done(self, pairs: int, seconds: float) -> float:
        """Share of the training that is done, 0 at the start; 1 or more at the end."""
        return pairs / self.pairs if self.pairs else seconds / (60 * (self.minutes or 1.0))

    def seconds_left(self, pairs: int, seconds: float) -> float:
        """Seconds until the end at the present pace; infinite at the start."""
        done = self.done(pairs, seconds)
        return seconds * (1 - done) / done if done else math.inf
