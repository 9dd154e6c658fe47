"""Learning-rate schedule and training budget, both functions of the completed fraction of the training alone.

So an interrupted run resumes with the learning rate it would have had, and budgets in minutes work like those in pairs.
"""

import math
from dataclasses import dataclass
from typing import Literal

from tiepoint.errors import InvalidInput

WARMUP_START = 0.01
"""Factor of the learning rate at the start of the warm-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Learning-rate schedule: linear warm-up, then decay.

    Attributes:
        warmup: Fraction of the training spent on the warm-up, in [0, 1).
        decay: "cosine" decays directly after the warm-up; "exponential" stays at the peak until `hold`, then decays
            exponentially, as in LightGlue's training.
        hold: Fraction of the training after which an exponential decay starts, in [0, 1).
        final: Factor of the learning rate at the end, in (0, 1].

    Raises:
        InvalidInput: If a value is out of range.
    """

    warmup: float = 0.02
    decay: Literal["cosine", "exponential"] = "cosine"
    hold: float = 0.5
    final: float = 0.01

    def __post_init__(self) -> None:
        if self.decay not in ("cosine", "exponential"):
            raise InvalidInput(f"decay must be 'cosine' or 'exponential', got {self.decay!r}")
        if not (0 <= self.warmup < 1 and 0 <= self.hold < 1 and 0 < self.final <= 1):
            raise InvalidInput(f"a schedule needs warmup and hold in [0, 1) and final in (0, 1], got {self}")

    def factor(self, fraction: float) -> float:
        """Return the factor by which the peak learning rate is multiplied in the next step.

        Args:
            fraction: Completed fraction of the training; values above 1 count as 1.
        """
        fraction = min(max(fraction, 0.0), 1.0)
        if fraction < self.warmup:
            return WARMUP_START + (1 - WARMUP_START) * fraction / self.warmup
        return self._cosine(fraction) if self.decay == "cosine" else self._exponential(fraction)

    def _cosine(self, fraction: float) -> float:
        decayed = (fraction - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * decayed)) / 2

    def _exponential(self, fraction: float) -> float:
        begin = max(self.hold, self.warmup)
        return self.final ** (max(fraction - begin, 0.0) / (1 - begin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Length of a training, in pairs or in minutes; minutes are summed over resumed runs.

    Attributes:
        pairs: Number of training pairs.
        minutes: Time spent on training steps; feature extraction and validation do not count.

    Raises:
        InvalidInput: If neither or both are given, or the value is not positive.
    """

    pairs: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.pairs is None) == (self.minutes is None):
            raise InvalidInput(
                f"expected a budget in pairs or in minutes, got pairs={self.pairs} and minutes={self.minutes}"
            )
        amount = self.minutes if self.pairs is None else self.pairs
        if amount is None or not (math.isfinite(amount) and amount > 0):
            raise InvalidInput(f"pairs or minutes must be a positive number, got {amount}")

    def fraction_done(self, pairs: int, seconds: float) -> float:
        """Return the completed fraction of the training, 0 at the start; 1 or more at the end."""
        return pairs / self.pairs if self.pairs else seconds / (60 * (self.minutes or 1.0))

    def seconds_left(self, pairs: int, seconds: float) -> float:
        """Estimate the remaining seconds at the current pace; infinite at the start."""
        fraction = self.fraction_done(pairs, seconds)
        return seconds * (1 - fraction) / fraction if fraction else math.inf
