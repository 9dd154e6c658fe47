"""Prescreening: whether a pair can match at all, from its highest-scoring keypoints, before it is matched in full.

In a collection most candidate pairs show different scenes, and each costs most of an overlapping pair's time. The pair
verification of a cheap match tells them apart: few keypoints, and the small LightGlue where its descriptors fit, else the
preset's own first layers. `CALIBRATIONS` has the effort and the threshold of each preset, as fitted by
`python -m benchmarks prescreening`; presets without a row are not prescreened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import verify_pair
from tiepoint.io.validation import check_number
from tiepoint.matching.inputs import FeaturePair, PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.top_k import select_top_k
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.recognition import build
from tiepoint.presets import full_name
from tiepoint.types import Correspondences
from tiepoint.types.options import Prescreen
from tiepoint.weights import load_state_dict

SMALL_WEIGHTS = "aliked_lightglue_small"
"""Weights of two layers for ALIKED's descriptors, part of the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Effort of the match that decides about a pair.

    Attributes:
        keypoints: Number of highest-scoring keypoints per image.
        layers: Number of first layers of the preset's network; 0 for the whole matcher.
        small: Whether the small LightGlue replaces the preset's network.
    """

    keypoints: int = 512
    layers: int = 0
    small: bool = False


class Prescreener:
    """Probability that a pair can match, at a fraction of a full match's time.

    Args:
        matcher: Matcher of the full matches.
        effort: Effort of a match, or the preset whose calibration has it.
    """

    def __init__(self, matcher: PairMatcher, effort: Effort | str) -> None:
        self.effort = CALIBRATIONS[str(full_name(effort))].effort if isinstance(effort, str) else effort
        self._matcher = self._reduced(matcher)

    def _reduced(self, matcher: PairMatcher) -> PairMatcher:
        if not isinstance(matcher, LightGlueMatcher):
            return matcher
        if self.effort.small:
            network = build(load_state_dict(SMALL_WEIGHTS)).to(matcher.device, matcher.network.dtype)
            return LightGlueMatcher(network, kind=matcher.settings.kind)
        layers = min(self.effort.layers or matcher.max_layers, matcher.max_layers)
        return matcher.variant(adaptivity=AdaptiveInference.from_flag(False), max_layers=layers)

    def probabilities(self, pairs: Sequence[FeaturePair]) -> list[float]:
        """Return the probability of pair verification of each cheap match.

        Args:
            pairs: Features of image 0 and image 1 of each pair.
        """
        select = partial(select_top_k, count=self.effort.keypoints)
        selected = [(select(features0)[0], select(features1)[0]) for features0, features1 in pairs]
        return [
            verify_pair(Correspondences.from_assignment(*pair, assignment)).probability
            for pair, assignment in zip(selected, self._matcher.match(selected), strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Effort and threshold of a preset.

    Attributes:
        effort: Effort of the match that decides about a pair.
        threshold: Minimum probability of a pair that is matched in full.
    """

    effort: Effort
    threshold: float


CALIBRATIONS: dict[str, Calibration] = {
    "aliked+lightglue": Calibration(effort=Effort(keypoints=512, small=True), threshold=0.14),
}
"""Preset -> its calibration, as fitted by `python -m benchmarks prescreening`."""

CALIBRATED_OPTIONS = ("extractor_weights", "matcher_weights", "max_layers", "stretch")
"""Options of `tiepoint.load` without which the calibrations hold."""

CALIBRATED_MINIMUM = {"max_keypoints": 1024, "resize": 640}
"""Options of `tiepoint.load`, and their smallest values for which the calibrations hold."""


def check_prescreen(prescreen: Any) -> Prescreen:
    """Check the option `prescreen`.

    Raises:
        InvalidInput: If it is not "auto", None, or a number in [0, 1].
    """
    if prescreen is None or prescreen == "auto":
        return prescreen
    return float(check_number("prescreen", prescreen, 0, 1, alternative="'auto' or None"))


def prescreen_threshold(
    prescreen: Prescreen, preset: str, options: Mapping[str, Any], *, by_default: bool
) -> float | None:
    """Return the minimum probability of a pair that is matched in full; None if all pairs are.

    Args:
        prescreen: "auto" for the threshold of the preset, a threshold, or None.
        preset: Name of the preset.
        options: Options of `tiepoint.load`.
        by_default: Whether "auto" prescreens.

    Raises:
        InvalidInput: If a threshold is given for a preset without a calibration.
    """
    row = CALIBRATIONS.get(str(full_name(preset)))
    is_calibrated = row is not None and _are_calibrated(options)
    if prescreen is None or (prescreen == "auto" and not (by_default and is_calibrated)):
        return None
    if row is None or not is_calibrated:
        raise InvalidInput(
            f"prescreen: no calibration for {preset!r} with these options; available: {', '.join(CALIBRATIONS)} without "
            f"{', '.join(CALIBRATED_OPTIONS)}, with at least {CALIBRATED_MINIMUM}; leave it out"
        )
    return row.threshold if prescreen == "auto" else float(prescreen)


def _are_calibrated(options: Mapping[str, Any]) -> bool:
    """Return whether the calibrations hold for these options of `tiepoint.load`."""
    if any(options.get(name) is not None for name in CALIBRATED_OPTIONS):
        return False
    values = ((options.get(name), minimum) for name, minimum in CALIBRATED_MINIMUM.items())
    return all(value is None or value >= minimum for value, minimum in values)
