"""What would be quickest on this machine: measured, and only ever recommended.

Values are tried in turn within each run, so that a machine that slows down slows all of them. A value is
recommended where it beats the default by `LEAST_GAIN` in three runs of four.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiepoint.bench.machine import available_cores
from tiepoint.bench.photographs import made_hard
from tiepoint.bench.timing import Seconds, check_runs, seconds_of, torch_threads
from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.types import Features

LEAST_GAIN = 1.03
"""A gain below 3 % isn't worth an option; between two runs of the same program one sees as much."""
PRUNING_STEPS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the largest number of keypoints above which images are pruned; at 1 none is."""

Work = dict[str, Callable[[], object]]
"""Name of a pair -> what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value that was tried: seconds by pair, and of all pairs together."""

    value: int
    pairs: dict[str, Seconds]

    @property
    def total(self) -> Seconds:
        """All pairs, run by run."""
        return Seconds(tuple(map(sum, zip(*(pair.runs for pair in self.pairs.values()), strict=True))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The values of one option that were tried, the default first.

    Attributes:
        option: "pruning_min_keypoints" of `tiepoint.load`, or "threads" of torch.
        trials: the default's is the first.
    """

    option: str
    trials: tuple[Trial, ...]

    @property
    def default(self) -> Trial:
        """What is used where nobody says otherwise."""
        return self.trials[0]

    @property
    def recommended(self) -> Trial:
        """The quickest value, where it surely beats the default; else the default."""
        best = min(self.trials, key=lambda trial: trial.total.median)
        gains = self.gains(best)
        sure = statistics.quantiles(gains, n=4, method="inclusive")[0] if len(gains) > 1 else gains[0]
        return best if sure >= LEAST_GAIN else self.default

    def gain(self, trial: Trial) -> float:
        """How many times as fast as the default; the median over the runs."""
        return statistics.median(self.gains(trial))

    def gains(self, trial: Trial) -> list[float]:
        """Likewise, run by run."""
        pairs = zip(self.default.total.runs, trial.total.runs, strict=True)
        return [default / seconds for default, seconds in pairs]

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "option": self.option,
            "default": self.default.value,
            "recommended": self.recommended.value,
            "trials": [
                {
                    "value": trial.value,
                    "gain": self.gain(trial),
                    "seconds": {name: seconds.to_dict() for name, seconds in trial.pairs.items()},
                }
                for trial in self.trials
            ],
        }


def prunes(matcher: Matcher) -> bool:
    """Whether this matcher ever drops keypoints, so that `tune_pruning` has something to try."""
    found = matcher.matcher
    return isinstance(found, LightGlueMatcher) and found.settings.adaptivity.width_confidence > 0


def tune_pruning(matcher: Matcher, images: tuple[Image, Image], *, runs: int = 5) -> Tuning:
    """Try several `pruning_min_keypoints` on a pair, and on the same pair with image 1 turned by a quarter.

    Args:
        matcher: with LightGlue, adaptive in width; it isn't changed.
        images: an easy pair.
        runs: of each value and pair.

    Raises:
        InvalidInput: the matcher never prunes, so there is nothing to tune.
    """
    found = matcher.matcher
    if not isinstance(found, LightGlueMatcher) or not prunes(matcher):
        raise InvalidInput(
            "only an adaptive LightGlue drops keypoints, so pruning_min_keypoints can't be tuned here; "
            "use a preset with lightglue, and leave adaptive on"
        )
    pairs = _easy_and_hard(matcher, images)
    default = found.settings.adaptivity.pruning_min_keypoints or 0
    most = max(len(features) for pair in pairs.values() for features in pair)
    values = _default_first(default, [0, *(round(step * most) for step in PRUNING_STEPS)])

    def work(value: int) -> Work:
        tried = _pruning_above(found, value)
        return {name: lambda pair=pair: tried.match([pair]) for name, pair in pairs.items()}

    return Tuning(option="pruning_min_keypoints", trials=_try(values, work, matcher, runs))


def tune_threads(matcher: Matcher, images: tuple[Image, Image], *, runs: int = 5) -> Tuning:
    """Try 1, 2, 4, … threads of torch, up to the cores that this process may use, on extraction and matching.

    Args:
        matcher: any.
        images: a pair.
        runs: of each number.
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

    return Tuning(option="threads", trials=_try(values, work, matcher, runs))


def _easy_and_hard(matcher: Matcher, images: tuple[Image, Image]) -> dict[str, tuple[Features, Features]]:
    easy0, easy1, hard1 = (matcher.extract(image) for image in (*images, made_hard(images[1])))
    return {"easy pair": (easy0, easy1), "hard pair": (easy0, hard1)}


def _pruning_above(matcher: LightGlueMatcher, count: int) -> LightGlueMatcher:
    """The same network with another threshold."""
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


def _try(
    values: Sequence[int], work: Callable[[int], Work], matcher: Matcher, runs: int
) -> tuple[Trial, ...]:
    """Warm up, then every value on every pair in each run."""
    check_runs(runs)
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
