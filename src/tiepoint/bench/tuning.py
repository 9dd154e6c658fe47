"""Measure which values of an option are fastest on this machine, and recommend them; no setting is changed.

The values are interleaved within each run, so that a slowdown of the machine affects all of them. A value is
recommended if it is faster than the default by `MIN_SPEEDUP` in three of four runs.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiepoint.bench.images import hard_variant
from tiepoint.bench.timing import Seconds, seconds_of, torch_threads
from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.io.machine import available_cores
from tiepoint.io.validation import check_integer
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.types import Features

MIN_SPEEDUP = 1.03
# Smaller speed-ups are within the variation between two runs of the same program

PRUNING_STEPS = (0.25, 0.5, 0.75, 1.0)
# Pruning thresholds to try, as fractions of the maximum number of keypoints; 1 disables pruning

Work = dict[str, Callable[[], object]]
# Name of an image pair -> function to measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Timings of one value of an option, per image pair."""

    value: int
    pairs: dict[str, Seconds]

    @property
    def total(self) -> Seconds:
        """Time of all pairs together, per run."""
        return Seconds(tuple(map(sum, zip(*(pair.runs for pair in self.pairs.values()), strict=True))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Timings of several values of one option.

    Attributes:
        option: "pruning_min_keypoints" of `tiepoint.load`, or "threads" of torch.
        trials: Timings per value; the first is the default.
    """

    option: str
    trials: tuple[Trial, ...]

    @property
    def default(self) -> Trial:
        """Timings of the default value."""
        return self.trials[0]

    @property
    def recommended(self) -> Trial:
        """The fastest value if it is reliably faster than the default, else the default."""
        best = min(self.trials, key=lambda trial: trial.total.median)
        speedups = self.speedups(best)
        reliable = (
            statistics.quantiles(speedups, n=4, method="inclusive")[0] if len(speedups) > 1 else speedups[0]
        )
        return best if reliable >= MIN_SPEEDUP else self.default

    def speedup(self, trial: Trial) -> float:
        """Return the speed-up over the default, median over the runs."""
        return statistics.median(self.speedups(trial))

    def speedups(self, trial: Trial) -> list[float]:
        """Return the speed-up over the default, per run."""
        pairs = zip(self.default.total.runs, trial.total.runs, strict=True)
        return [default / seconds for default, seconds in pairs]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "option": self.option,
            "default": self.default.value,
            "recommended": self.recommended.value,
            "trials": [
                {
                    "value": trial.value,
                    "gain": self.speedup(trial),
                    "seconds": {name: seconds.to_dict() for name, seconds in trial.pairs.items()},
                }
                for trial in self.trials
            ],
        }


def prunes(matcher: Matcher) -> bool:
    """Return whether a matcher prunes keypoints, so that `tune_pruning` applies."""
    found = matcher.matcher
    return isinstance(found, LightGlueMatcher) and found.settings.adaptivity.width_confidence > 0


def tune_pruning(matcher: Matcher, images: tuple[Image, Image], *, runs: int = 5) -> Tuning:
    """Measure several `pruning_min_keypoints` on an image pair, and on the same pair with image 1 rotated by 90 degrees.

    Args:
        matcher: Matcher with LightGlue and adaptive width; it is not changed.
        images: Image pair with many matches.
        runs: Number of timed runs per value and pair.

    Raises:
        InvalidInput: If the matcher does not prune keypoints.
    """
    found = matcher.matcher
    if not isinstance(found, LightGlueMatcher) or not prunes(matcher):
        raise InvalidInput(
            "cannot tune pruning_min_keypoints: the matcher does not prune keypoints; "
            "use a preset with lightglue and adaptive width"
        )
    pairs = _easy_and_hard(matcher, images)
    default = found.settings.adaptivity.pruning_min_keypoints or 0
    max_keypoints = max(len(features) for pair in pairs.values() for features in pair)
    values = _default_first(default, [0, *(round(step * max_keypoints) for step in PRUNING_STEPS)])

    def work(value: int) -> Work:
        variant = _with_threshold(found, value)
        return {name: lambda pair=pair: variant.match([pair]) for name, pair in pairs.items()}

    return Tuning(option="pruning_min_keypoints", trials=_measure(values, work, matcher, runs))


def tune_threads(matcher: Matcher, images: tuple[Image, Image], *, runs: int = 5) -> Tuning:
    """Measure extraction and matching with 1, 2, 4, … torch threads, up to the number of available cores.

    Args:
        matcher: Matcher to measure.
        images: Image pair.
        runs: Number of timed runs per number of threads.
    """
    cores = available_cores()
    with torch_threads(None) as default:
        values = _default_first(default, [2**k for k in range(cores.bit_length())] + [cores])

    def work(value: int) -> Work:
        def pair() -> None:
            with torch_threads(value):
                features0, features1 = (matcher.extract(image) for image in images)
                matcher.match_features([(features0, features1)])

        return {"pair": pair}

    return Tuning(option="threads", trials=_measure(values, work, matcher, runs))


def _easy_and_hard(matcher: Matcher, images: tuple[Image, Image]) -> dict[str, tuple[Features, Features]]:
    easy0, easy1, hard1 = (matcher.extract(image) for image in (*images, hard_variant(images[1])))
    return {"easy pair": (easy0, easy1), "hard pair": (easy0, hard1)}


def _with_threshold(matcher: LightGlueMatcher, count: int) -> LightGlueMatcher:
    """Return a matcher with the same network and another pruning threshold."""
    settings = matcher.settings
    adaptivity = replace(settings.adaptivity, pruning_min_keypoints=count)
    return LightGlueMatcher(
        matcher.network,
        kind=settings.kind,
        adaptivity=adaptivity,
        filter_threshold=settings.filter_threshold,
    )


def _default_first(default: int, values: Sequence[int]) -> list[int]:
    return [default, *sorted(set(values) - {default})]


def _measure(
    values: Sequence[int], work: Callable[[int], Work], matcher: Matcher, runs: int
) -> tuple[Trial, ...]:
    """Time every value on every pair in each run, after one warm-up run."""
    check_integer("runs", runs, 1)
    device = matcher.extractor.device
    works = {value: work(value) for value in values}
    rounds = [
        {(value, name): seconds_of(pair, device) for value, name, pair in _each(works)}
        for _ in range(1 + runs)
    ][1:]
    return tuple(
        Trial(
            value=value,
            pairs={name: Seconds(tuple(run[value, name] for run in rounds)) for name in works[value]},
        )
        for value in values
    )


def _each(works: dict[int, Work]) -> Iterator[tuple[int, str, Callable[[], object]]]:
    return ((value, name, pair) for value, pairs in works.items() for name, pair in pairs.items())
