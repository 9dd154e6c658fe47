"""Latency budget of a pair: keypoints and layers are planned before the start, and a clock between layers cuts them.

A plan assumes the worst case, in which early stopping and pruning have no effect. Between layers the time that is left is
compared with the time of another layer and of the assignment after it; if the machine is slower than when it was
measured, predictions are scaled by the last layer's ratio.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeAlias, runtime_checkable

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform
from tiepoint.io.validation import check_number
from tiepoint.matching.inputs import FeaturePair
from tiepoint.matching.latency.cost_model import CostModel
from tiepoint.types import Assignment
from tiepoint.types.options import Views

Clock: TypeAlias = Callable[[], float]
"""Returns a time in seconds that never decreases, such as `time.perf_counter`."""

MIN_BUDGET_MS, MAX_BUDGET_MS = 0.1, 1e7
RESERVE = 0.06  # fraction of the budget that plans leave unused, for the variation between runs
MIN_KEYPOINTS = 128  # plans keep at least this many keypoints per image
MAX_KEYPOINTS = 8192  # and at most this many
STEPS_PER_OCTAVE = 4  # numbers of keypoints between n and 2n that plans choose from

# Expected loss of accuracy by fewer keypoints and layers, in points: KEYPOINT_LOSS / sqrt(keypoints)
# + LAYER_LOSS / layers^1.5. Fitted to 58 pairs of the public data sets (docs/log.md).
KEYPOINT_LOSS = 165.0
LAYER_LOSS = 7.0


def check_latency_budget(milliseconds: Any) -> float:
    """Return a latency budget in ms as a float.

    Raises:
        InvalidInput: If it is not a positive number.
    """
    return check_number("latency_budget_ms", milliseconds, MIN_BUDGET_MS, MAX_BUDGET_MS, alternative="None")


def check_no_views(views: Views | None) -> None:
    """Check that no rotation search is requested together with a latency budget.

    Raises:
        InvalidInput: If `views` is given: the search extracts and matches several times.
    """
    if views is not None:
        raise InvalidInput(
            f"latency_budget_ms and views={views!r} cannot be combined: the search takes several times as long as "
            "one match; omit one of them"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What fits into a time.

    Attributes:
        max_keypoints: Maximum number of keypoints per image, highest scores first.
        max_layers: Maximum number of layers of the matching network; at least 1 if it has any.
    """

    max_keypoints: int
    max_layers: int


class LatencyBudget:
    """A bound on the time of each pair.

    Args:
        milliseconds: Budget per pair in ms.
        costs: Cost model of this machine and preset.
        clock: Clock in seconds.

    Raises:
        InvalidInput: If the budget is below the smallest time in which this machine matches extracted features.
    """

    def __init__(self, milliseconds: float, costs: CostModel, clock: Clock = perf_counter) -> None:
        self.milliseconds = milliseconds
        self.costs = costs
        self.clock = clock
        _check_feasible(milliseconds, smallest_seconds(costs, ()), "features")

    def start(self) -> "PairClock":
        """Start the clock of a pair, or of a frame."""
        return PairClock(self.costs, self.clock, self.milliseconds)


class PairClock:
    """Time of one pair from its start; `budget.start()` makes one.

    Args:
        costs: Cost model of this machine and preset.
        clock: Clock in seconds.
        milliseconds: Budget of the pair in ms.
    """

    def __init__(self, costs: CostModel, clock: Clock, milliseconds: float) -> None:
        self.costs = costs
        self.clock = clock
        self.milliseconds = milliseconds
        self.end = clock() + milliseconds / 1000 * (1 - RESERVE)
        self._checked = self._predicted = 0.0

    @property
    def seconds_left(self) -> float:
        """Seconds until the budget without its reserve is spent; negative afterwards."""
        return self.end - self.clock()

    def shortened(self, fraction: float) -> "PairClock":
        """Return a clock that ends after this fraction of the time that is left."""
        shorter = PairClock(self.costs, self.clock, self.milliseconds)
        shorter.end = self.end - (1 - fraction) * max(0.0, self.seconds_left)
        return shorter

    def plan_extraction(self, transforms: Sequence[ImageTransform], max_keypoints: int | None) -> int:
        """Choose the number of keypoints to extract from the images of the pair that have no features yet.

        Args:
            transforms: Resize of each of these images.
            max_keypoints: Maximum number of keypoints without a budget; None for `MAX_KEYPOINTS`.

        Raises:
            InvalidInput: If the budget is below the smallest time for images of these sizes.
        """
        _check_feasible(self.milliseconds, smallest_seconds(self.costs, transforms), "images of this size")
        extraction, left = self.costs.extraction, self.seconds_left

        def seconds_to_match(keypoints: int) -> float:
            return left - sum(extraction.seconds(image, keypoints) for image in transforms)

        limit = min(max_keypoints or MAX_KEYPOINTS, MAX_KEYPOINTS)
        return min(limit, choose_plan(self.costs, (limit, limit), seconds_to_match).max_keypoints)

    def plan_matching(self, num_keypoints: tuple[int, int]) -> Plan:
        """Choose keypoints and layers of a pair for the time that is left, and start timing its layers.

        Args:
            num_keypoints: Number of keypoints of image 0 and image 1.
        """
        left = self.seconds_left
        plan = choose_plan(self.costs, num_keypoints, lambda _: left)
        self._checked = self.clock()
        tokens = sum(min(count, plan.max_keypoints) for count in num_keypoints)
        self._predicted = self.costs.matching_seconds(tokens, layers=1)
        return plan

    def has_time(self, num_tokens: int) -> bool:
        """Return whether there is time for another layer, and the assignment after it, with this many tokens."""
        now, layer = self.clock(), self.costs.layer.seconds(num_tokens)
        slowdown = max(1.0, (now - self._checked) / max(self._predicted, 1e-9))
        self._checked, self._predicted = now, layer
        return now + slowdown * (layer + self.costs.assignment.seconds(num_tokens)) <= self.end


def choose_plan(
    costs: CostModel, num_keypoints: tuple[int, int], seconds_to_match: Callable[[int], float]
) -> Plan:
    """Choose the most accurate keypoints and layers that fit into a time; the smallest plan if none does.

    Args:
        costs: Cost model of this machine and preset.
        num_keypoints: Number of keypoints of image 0 and image 1, which are the maximum.
        seconds_to_match: Function from the maximum number of keypoints per image to the time for their matching.
    """
    best = Plan(max_keypoints=MIN_KEYPOINTS, max_layers=min(1, costs.layers))
    for keypoints in keypoint_steps(max(num_keypoints)):
        tokens = sum(min(count, keypoints) for count in num_keypoints)
        left = seconds_to_match(keypoints)
        layers = costs.max_layers(tokens, left)
        fits = layers > 0 or (costs.layers == 0 and costs.assignment.seconds(tokens) <= left)
        plan = Plan(max_keypoints=keypoints, max_layers=layers)
        if fits and expected_loss(plan) < expected_loss(best):
            best = plan
    return best


def keypoint_steps(maximum: int) -> list[int]:
    """Return the numbers of keypoints that plans choose from: `STEPS_PER_OCTAVE` per octave, and the maximum."""
    steps = [MIN_KEYPOINTS]
    while steps[-1] < maximum:
        steps.append(round(MIN_KEYPOINTS * 2 ** (len(steps) / STEPS_PER_OCTAVE)))
    return [*(step for step in steps if step < maximum), max(maximum, MIN_KEYPOINTS)]


def expected_loss(plan: Plan) -> float:
    """Return the expected loss of accuracy of a plan, in points."""
    return KEYPOINT_LOSS / math.sqrt(plan.max_keypoints) + LAYER_LOSS / max(1, plan.max_layers) ** 1.5


def smallest_seconds(costs: CostModel, transforms: Sequence[ImageTransform]) -> float:
    """Return the smallest budget in seconds.

    Args:
        costs: Cost model of this machine and preset.
        transforms: Resize of each image whose features are extracted.
    """
    extraction = sum(costs.extraction.seconds(image, MIN_KEYPOINTS) for image in transforms)
    matching = costs.matching_seconds(2 * MIN_KEYPOINTS, min(1, costs.layers))
    return (extraction + matching) / (1 - RESERVE)


def _check_feasible(milliseconds: float, smallest: float, what: str) -> None:
    if milliseconds / 1000 < smallest:
        raise InvalidInput(
            f"latency_budget_ms={milliseconds:g} is too small: on this machine, {what} take at least "
            f"{math.ceil(1000 * smallest)} ms with this preset; raise it, use a smaller resize or a faster preset, or "
            "measure again on an idle machine: tiepoint bench --tune"
        )


@runtime_checkable
class TimedMatcher(Protocol):
    """A matcher that can match a pair within a time."""

    def match_within(self, pair: FeaturePair, clock: PairClock) -> Assignment:
        """Match a pair with the keypoints and layers for which the clock has time."""
        ...
