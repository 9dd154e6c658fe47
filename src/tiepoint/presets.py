"""PRESETS: a name for an extractor, a matcher, and the weights of both."""

import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tiepoint.errors import InvalidInput

DEFAULT_PRESET = "aliked+lightglue"

CONFIG, MODEL, TRAINING = "config.json", "model.safetensors", "training.json"
"""Files of a folder that holds both networks: Hugging Face's two, and the record of `tiepoint train` where it made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row.

    Attributes:
        extractor: key of `tiepoint.extraction.extractor.NETWORKS`, and of its row in `tiepoint.weights.WEIGHTS`.
        matcher: "lightglue", or "nearest" (mutual nearest neighbors).
        matcher_weights: name of the matcher's row in `WEIGHTS`; None where it has no weights.
        about: for whom this is, in one line.
        detection_threshold: a keypoint scores above this; 0 where the strongest are taken whatever they score.
        folder: holds both networks, in the form of `LightGlueForKeypointMatching.save_pretrained`; None: they're
            rows of `WEIGHTS`.
        kind: of the features that the folder's extractor makes, where the folder says so.
    """

    extractor: str
    matcher: Literal["lightglue", "nearest"]
    matcher_weights: str | None = None
    about: str
    detection_threshold: float = 0.0
    folder: Path | None = None
    kind: str | None = None

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
    "aliked+lightglue-small": Preset(
        extractor="aliked-n16",
        matcher="lightglue",
        matcher_weights="aliked_lightglue_small",
        about="two layers instead of nine: matches four times as fast; for easy and middling pairs",
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
        about="mutual nearest neighbors: the baseline, and the quickest",
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
        about="SuperPoint trained again under a free license",
        detection_threshold=0.005,
    ),
}
"""Name -> extractor, matcher and weights."""


def find_preset(name: str | os.PathLike[str]) -> Preset:
    """The row of this name, or that of a folder with both networks.

    Raises:
        InvalidInput: there is none; the message names the nearest and all. Or the folder holds something else.
    """
    if name in PRESETS:
        return PRESETS[str(name)]
    if os.path.isdir(str(name)):  # noqa: PTH112 - a name that no file can have is no folder, and no error
        return preset_of_folder(Path(name))
    close = difflib.get_close_matches(str(name), PRESETS, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    raise InvalidInput(f"there is no preset {name!r}{meant} the presets are {', '.join(PRESETS)}")


def preset_of_folder(folder: Path) -> Preset:
    """What a folder holds that `tiepoint train`, or `LightGlueForKeypointMatching.save_pretrained`, has written.

    Raises:
        InvalidInput: a file is missing or isn't what it should be.
    """
    if not (folder / MODEL).is_file():
        raise InvalidInput(f"{folder} holds no {MODEL}; name a preset, or the folder of a trained model")
    detector = _read_json(folder / CONFIG).get("keypoint_detector_config") or {}
    names = detector.get("model_type", "superpoint"), detector.get("variant")
    record = _read_json(folder / TRAINING) if (folder / TRAINING).exists() else {}
    return Preset(
        extractor=record.get("extractor") or "-".join(filter(None, names)),
        matcher="lightglue",
        matcher_weights=str(folder / MODEL),
        about=f"trained: {folder}",
        detection_threshold=float(detector.get("keypoint_threshold", 0.0)),
        folder=folder,
        kind=record.get("kind"),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"can't read {path} ({error}); name the folder of a trained model") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} must hold a JSON object, but holds a {type(values).__name__}")
    return values
