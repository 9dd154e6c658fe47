"""PRESETS: name -> extractor, matcher, and their weights."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name

DEFAULT_PRESET = "aliked+lightglue"

# Files in the folder of a trained model: Hugging Face's two, and the record of `tiepoint train`, if it wrote the folder
CONFIG, MODEL, TRAINING = "config.json", "model.safetensors", "training.json"

# Options of `tiepoint.load` that only mutual nearest neighbors support
NEAREST_OPTIONS = ("max_ratio",)

# Options of `tiepoint.load` that only a matching network supports
NETWORK_OPTIONS = (
    "adaptive",
    "pruning_min_keypoints",
    "max_layers",
    "dtype",
    "batch_size",
    "memory_budget",
    "matcher_weights",
)


GIVEN = "given"
"""Extractor in the record of a training for features of another origin (`tiepoint train --features`)."""

WITHOUT_WEIGHTS = ("sift", "colmap-sift")
"""Extractors that are not networks."""

PATCH_NETWORKS = ("doghardnet",)
"""Extractors whose network describes patches around the keypoints of OpenCV."""

EXTRACTOR_WEIGHTS: dict[str, tuple[str, ...]] = {
    "raco-aliked": ("raco", "aliked-n16"),
    "dad-dedode-b": ("dad", "dedode-b"),
    "doghardnet": ("hardnet",),
    "loma-b128": ("loma_b128",),
    "loma-b": ("loma_b",),
}
"""Extractor -> names of its rows in `WEIGHTS`, if that is not one row of the same name: the detector, then the descriptor;
or the matcher's row, whose file contains all networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Extractor, matcher and weights.

    Attributes:
        extractor: Key of `tiepoint.extraction.networks.NETWORKS`; or one of `WITHOUT_WEIGHTS` or `PATCH_NETWORKS`.
        matcher: "lightglue", or "nearest" (mutual nearest neighbors).
        matcher_weights: Name of the matcher's row in `WEIGHTS`; None if it has no weights.
        about: Purpose, in one line.
        detection_threshold: Minimum keypoint score; 0 keeps the top-k keypoints whatever their scores.
        upscale: Enlarge smaller images to the longer side that `resize` gives.
        depth_confidence: Early stopping of LightGlue: fraction of confident keypoints at which a pair stops.
        width_confidence: Pruning of LightGlue: probability from which on an unmatchable keypoint is pruned.
        folder: Folder with both networks, as written by `LightGlueForKeypointMatching.save_pretrained`; None if they
            are rows of `WEIGHTS`.
        kind: Kind of features of the folder's extractor, if the folder records it.
    """

    extractor: str
    matcher: Literal["lightglue", "nearest"]
    matcher_weights: str | None = None
    about: str
    detection_threshold: float = 0.0
    upscale: bool = True
    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    folder: Path | None = None
    kind: str | None = None

    @property
    def extractor_weights(self) -> tuple[str, ...]:
        """Names of the rows of `WEIGHTS` that the extractor needs."""
        if self.extractor in WITHOUT_WEIGHTS:
            return ()
        return EXTRACTOR_WEIGHTS.get(self.extractor, (self.extractor,))

    @property
    def weights(self) -> list[str]:
        """Names of the rows of `WEIGHTS` that this preset needs."""
        matcher = (self.matcher_weights,) if self.matcher_weights else ()
        return list(dict.fromkeys((*self.extractor_weights, *matcher)))

    @property
    def has_one_file(self) -> bool:
        """Whether one weights file contains extractor and matcher."""
        return self.extractor_weights == (self.matcher_weights,)

    @property
    def unsupported_options(self) -> tuple[str, ...]:
        """Options of `tiepoint.load` that have no effect on this preset."""
        return NEAREST_OPTIONS if self.matcher == "lightglue" else NETWORK_OPTIONS


PRESETS: dict[str, Preset] = {
    "aliked+lightglue": Preset(
        extractor="aliked-n16",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="default: accurate, fast, free for any use",
    ),
    "aliked+lightglue-small": Preset(
        extractor="aliked-n16",
        matcher="lightglue",
        matcher_weights="aliked_lightglue_small",
        about="two layers instead of nine: four times faster matching, for easy and medium pairs",
    ),
    "aliked-n16rot+lightglue": Preset(
        extractor="aliked-n16rot",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="descriptors trained with rotated images",
    ),
    "aliked-n32+lightglue": Preset(
        extractor="aliked-n32",
        matcher="lightglue",
        matcher_weights="aliked_lightglue",
        about="descriptors from 32 sample positions; slower, and less accurate with LightGlue, which was trained for n16",
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
        about="mutual nearest neighbors: the baseline without a matching network",
    ),
    "aliked-t16+nearest": Preset(
        extractor="aliked-t16", matcher="nearest", about="smallest extractor, without a matching network"
    ),
    "xfeat+lighterglue": Preset(
        extractor="xfeat",
        matcher="lightglue",
        matcher_weights="xfeat_lighterglue",
        about="fast: for robots, phones and laptops; less accurate on hard pairs",
        upscale=False,
        width_confidence=0.95,
    ),
    "xfeat+nearest": Preset(
        extractor="xfeat",
        matcher="nearest",
        about="fastest: XFeat with mutual nearest neighbors",
        upscale=False,
    ),
    "superpoint+lightglue": Preset(
        extractor="superpoint",
        matcher="lightglue",
        matcher_weights="superpoint_lightglue",
        about="the paper's pair; the weights of SuperPoint are for non-commercial research only",
        detection_threshold=0.0005,
    ),
    "superpoint-open+nearest": Preset(
        extractor="superpoint-open",
        matcher="nearest",
        about="SuperPoint retrained under a free license",
        detection_threshold=0.005,
    ),
    "raco-aliked+lightglue": Preset(
        extractor="raco-aliked",
        matcher="lightglue",
        matcher_weights="raco_aliked_lightglue",
        about="LightGlue+ of RaCo's authors: repeatable keypoints of RaCo, descriptors of ALIKED",
    ),
    "loma-b128": Preset(
        extractor="loma-b128",
        matcher="lightglue",
        matcher_weights="loma_b128",
        about="LoMa with descriptors of DeDoDe-B: slow extraction, for hard pairs",
    ),
    "loma-b": Preset(
        extractor="loma-b",
        matcher="lightglue",
        matcher_weights="loma_b",
        about="LoMa with descriptors of DeDoDe-G, which contains DINOv2 ViT-L: for GPUs, for hard pairs",
    ),
    "dad-dedode-b+nearest": Preset(
        extractor="dad-dedode-b",
        matcher="nearest",
        about="keypoints of DaD, descriptors of DeDoDe-B, without a matching network",
    ),
    "sift+lightglue": Preset(
        extractor="sift",
        matcher="lightglue",
        matcher_weights="sift_lightglue",
        about="OpenCV's SIFT with LightGlue, for features that other programs use, too",
        detection_threshold=0.0066667,
    ),
    "colmap-sift+lightglue": Preset(
        extractor="colmap-sift",
        matcher="lightglue",
        matcher_weights="sift_lightglue",
        about="COLMAP's SIFT, as in its databases, with LightGlue",
        detection_threshold=0.0066667,
    ),
    "colmap-sift+nearest": Preset(
        extractor="colmap-sift",
        matcher="nearest",
        about="COLMAP's SIFT with mutual nearest neighbors, without weights",
        detection_threshold=0.0066667,
    ),
    "doghardnet+lightglue": Preset(
        extractor="doghardnet",
        matcher="lightglue",
        matcher_weights="doghardnet_lightglue",
        about="OpenCV's difference-of-Gaussian keypoints with HardNet descriptors and LightGlue",
        detection_threshold=0.0066667,
    ),
    "sift+nearest": Preset(
        extractor="sift",
        matcher="nearest",
        about="OpenCV's SIFT with mutual nearest neighbors: the classical baseline, without weights",
        detection_threshold=0.0066667,
    ),
}
"""Name -> preset; the command `tiepoint presets` prints them."""

SHORT_NAMES = {"default": DEFAULT_PRESET, "fast": "xfeat+lighterglue"}
"""Short name -> name of a preset; accepted wherever a preset is."""


def full_name(name: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return the name of a preset for one of `SHORT_NAMES`; other names and paths are returned unchanged."""
    return SHORT_NAMES.get(str(name), name)


def find_preset(name: str | os.PathLike[str]) -> Preset:
    """Return a row of `PRESETS`, or the preset of a folder with both networks.

    Args:
        name: Name or short name of a preset, or path of a folder.

    Raises:
        InvalidInput: If the name is unknown, or the folder is not the folder of a trained model.
    """
    name = full_name(name)
    if name in PRESETS:
        return PRESETS[str(name)]
    if os.path.isdir(str(name)):  # noqa: PTH112 - unlike Path.is_dir it never raises, whatever the name
        return preset_from_folder(Path(name))
    raise InvalidInput(unknown_name("preset", str(name), [*PRESETS, *SHORT_NAMES]))


def preset_for_extractor(extractor: str) -> str | None:
    """Return the name of a preset with this extractor, with LightGlue if possible; None if there is none."""
    names = [name for name, row in PRESETS.items() if row.extractor == extractor]
    return min(names, key=lambda name: PRESETS[name].matcher != "lightglue", default=None)


def preset_from_folder(folder: Path) -> Preset:
    """Read the preset of a folder written by `tiepoint train` or `LightGlueForKeypointMatching.save_pretrained`.

    Raises:
        InvalidInput: If a file is missing or invalid.
    """
    if not (folder / MODEL).is_file():
        raise InvalidInput(
            f"{folder} contains no {MODEL}; expected a preset, or the folder of a trained model"
        )
    record = training_record(folder)
    if record.get("extractor") == GIVEN:
        raise InvalidInput(
            f"{folder} is a matcher for given features ({record.get('kind') or 'of unnamed kind'}), without an extractor; "
            f"match features with tiepoint.load_matcher({str(folder)!r})"
        )
    config = _read_json(folder / CONFIG)
    detector: dict[str, Any] = config.get("keypoint_detector_config") or {}
    names = detector.get("model_type", "superpoint"), detector.get("variant")
    extractor = record.get("extractor") or "-".join(filter(None, names))
    published = preset_for_extractor(extractor)
    return Preset(
        extractor=extractor,
        matcher="lightglue",
        matcher_weights=str(folder / MODEL),
        about=f"trained: {folder}",
        detection_threshold=float(detector.get("keypoint_threshold", 0.0)),
        upscale=published is None or PRESETS[published].upscale,
        depth_confidence=float(config.get("depth_confidence", 0.95)),
        width_confidence=float(config.get("width_confidence", 0.99)),
        folder=folder,
        kind=record.get("kind"),
    )


def training_record(folder: Path) -> dict[str, Any]:
    """Return the record that `tiepoint train` writes into its folder; empty if there is none.

    Raises:
        InvalidInput: If it is damaged.
    """
    return _read_json(folder / TRAINING) if (folder / TRAINING).is_file() else {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot read {path}: {error}; expected the folder of a trained model") from error
    if not isinstance(values, dict):
        raise InvalidInput(f"{path}: expected a JSON object, got {type(values).__name__}")
    return cast(dict[str, Any], values)
