"""PRESETS: a name for an extractor, a matcher, and the weights of both."""

import difflib
from dataclasses import dataclass
from typing import Literal

from tiepoint.errors import InvalidInput

DEFAULT_PRESET = "aliked+lightglue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row.

    Attributes:
        extractor: key of `tiepoint.extractors.neural.NETWORKS`, and of its row in `tiepoint.weights.WEIGHTS`.
        matcher: "lightglue", or "nearest" (mutual nearest neighbours).
        matcher_weights: name of the matcher's row in `WEIGHTS`; None where it has no weights.
        about: for whom this is, in one line.
        detection_threshold: a keypoint scores above this; 0 where the strongest are taken whatever they score.
    """

    extractor: str
    matcher: Literal["lightglue", "nearest"]
    matcher_weights: str | None = None
    about: str
    detection_threshold: float = 0.0

    @property
    def weights(self) -> list[str]:
        """Names of the rows of `WEIGHTS` that this preset needs."""
        return [self.extractor] + ([self.matcher_weights] if self.matcher_weights else [])


PRESETS: dict[str, Preset] = {
    "aliked+lightglue": Preset(
        extractor="aliked-n16",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="the default: accurate, quick, free for any use",
    ),
    "aliked-n16rot+lightglue": Preset(
        extractor="aliked-n16rot",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="descriptors trained for rotated images",
    ),
    "aliked-n32+lightglue": Preset(
        extractor="aliked-n32",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="descriptors from 32 positions; slower, and weaker with LightGlue, which was trained for n16",
    ),
    "disk+lightglue": Preset(
        extractor="disk",
        matcher="lightglue",
        matcher_weights="disk_lightglue",
        about="dense keypoints on buildings and monuments; slower extraction",
    ),
    "aliked+nearest": Preset(
        extractor="aliked-n16",
        matcher="nearest",
        about="mutual nearest neighbours: the baseline, and the quickest",
    ),
    "aliked-t16+nearest": Preset(
        extractor="aliked-t16", matcher="nearest", about="the smallest extractor, without a matching network"
    ),
    "superpoint+lightglue": Preset(
        extractor="superpoint",
        matcher="lightglue",
        matcher_weights="superpoint_lightglue",
        about="the paper's pair; SuperPoint's weights are for non-commercial research only",
        detection_threshold=0.0005,
    ),
    "superpoint-open+nearest": Preset(
        extractor="superpoint-open",
        matcher="nearest",
        about="SuperPoint trained again under a free licence",
        detection_threshold=0.005,
    ),
}
"""Name -> extractor, matcher and weights."""


def find_preset(name: str) -> Preset:
    """The row of this name.

    Raises:
        InvalidInput: there is none; the message names the nearest and all.
    """
    if name in PRESETS:
        return PRESETS[name]
    close = difflib.get_close_matches(str(name), PRESETS, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    raise InvalidInput(f"there is no preset {name!r}{meant} the presets are {', '.join(PRESETS)}")
