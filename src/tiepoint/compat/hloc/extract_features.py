"""Local features of a folder of images, in hloc's HDF5 file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from tiepoint.collection.export.hloc import write_features
from tiepoint.compat.hloc.configurations import Configuration, Configurations, model_options
from tiepoint.compat.hloc.files import group_names, read_names, updated_file
from tiepoint.compat.lightglue import ALIKED, DISK, SuperPoint
from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.compat.lightglue.images import resize_channels
from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import reject_unknown
from tiepoint.image import read_image
from tiepoint.image.exif import ORIENTATIONS
from tiepoint.image.listing import find_images
from tiepoint.models.device import choose_device


def _superpoint(output: str, resize_max: int, nms_radius: int, **preprocessing: Any) -> Configuration:
    model = {"name": "superpoint", "nms_radius": nms_radius, "max_keypoints": 4096}
    return {
        "output": output,
        "model": model,
        "preprocessing": {"grayscale": True, "resize_max": resize_max, **preprocessing},
    }


RETRIEVAL = "pairs_from_retrieval with a file of local features, or hloc itself for this global descriptor"
LOCAL = "'aliked-n16' or 'disk'; or extract with hloc itself, whose file match_features reads"

confs = Configurations(
    {
        "superpoint_aachen": _superpoint("feats-superpoint-n4096-r1024", 1024, 3),
        "superpoint_max": _superpoint("feats-superpoint-n4096-rmax1600", 1600, 3, resize_force=True),
        "superpoint_inloc": _superpoint("feats-superpoint-n4096-r1600", 1600, 4),
        "disk": {
            "output": "feats-disk",
            "model": {"name": "disk", "max_keypoints": 5000},
            "preprocessing": {"grayscale": False, "resize_max": 1600},
        },
        "aliked-n16": {
            "output": "feats-aliked-n16",
            "model": {"name": "aliked", "model_name": "aliked-n16"},
            "preprocessing": {"grayscale": False, "resize_max": 1024},
        },
    },
    unavailable={
        **dict.fromkeys(["r2d2", "d2net-ss", "sift", "sosnet"], LOCAL),
        **dict.fromkeys(["dir", "netvlad", "openibl", "megaloc"], RETRIEVAL),
    },
)
"""hloc's configurations by name."""

MODELS = {
    "aliked": ("model_name", "max_num_keypoints", "detection_threshold", "nms_radius"),
    "disk": ("weights", "max_keypoints", "nms_window_size", "detection_threshold", "pad_if_not_divisible"),
    "superpoint": (
        "nms_radius",
        "keypoint_threshold",
        "max_keypoints",
        "remove_borders",
        "fix_sampling",
        "weights",
        "accept_license",
    ),
}
"""Name of a model -> names of its options; the last two of SuperPoint are not hloc's."""

KEYPOINT_NOISE_PX = {"superpoint": 2.0}
"""Uncertainty of keypoints in px of the resized image, which hloc writes; 1 for other models."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How images are read.

    Attributes:
        globs: Patterns of file names.
        grayscale: Not used: SuperPoint converts images to gray itself.
        resize_max: Maximum of the longer side in px; None keeps the size.
        resize_force: Enlarge smaller images, too.
        interpolation: "cv2_area", "cv2_linear", "cv2_cubic" or "cv2_nearest".
    """

    globs: Sequence[str] = ("*.jpg", "*.png", "*.jpeg", "*.JPG", "*.PNG")
    grayscale: bool = False
    resize_max: int | None = None
    resize_force: bool = False
    interpolation: str = "cv2_area"

    @classmethod
    def from_configuration(cls, options: Mapping[str, Any]) -> "Preprocessing":
        """Check the options.

        Raises:
            InvalidInput: If an option is unknown.
        """
        reject_unknown("preprocessing", options, cls.__dataclass_fields__)
        return cls(**options)

    def names(self, root: Path) -> list[str]:
        """Return the names of the images in a folder and its subfolders.

        Raises:
            InvalidInput: If there are none.
        """
        found = [path for path in find_images(root) if any(fnmatch(path.name, glob) for glob in self.globs)]
        if not found:
            raise InvalidInput(f"no images in {root} with names like {', '.join(self.globs)}")
        return [path.relative_to(root).as_posix() for path in found]

    def apply(self, pixels: Float32[Tensor, "3 h w"]) -> Float32[Tensor, "3 h2 w2"]:
        """Resize an image."""
        height, width = pixels.shape[1:]
        longer = max(height, width)
        if not self.resize_max or (longer <= self.resize_max and not self.resize_force):
            return pixels
        shape = tuple(round(side * self.resize_max / longer) for side in (height, width))
        interpolation = self.interpolation.removeprefix("cv2_")
        is_enlarged = longer < self.resize_max
        return resize_channels(
            pixels,
            (shape[0], shape[1]),
            "linear" if is_enlarged and interpolation == "area" else interpolation,
        )


def main(
    conf: Mapping[str, Any],
    image_dir: Path,
    export_dir: Path | None = None,
    as_half: bool = True,
    image_list: Path | str | Iterable[str | Path] | None = None,
    feature_path: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Extract local features; images that are in the file already are skipped.

    Keypoints are in px of the stored raster, as in hloc: the EXIF orientation is ignored.

    Args:
        conf: Configuration: `confs["aliked-n16"]`, or a changed copy.
        image_dir: Folder that image names are relative to.
        export_dir: Output folder; the configuration names the file.
        as_half: Store descriptors and scores in float16. Keypoints are always float32: float16 moves them by up to 2 px
            beyond 4,096 px.
        image_list: Names of images, or a text file of names; None takes all images of the folder.
        feature_path: Output file, instead of `export_dir`.
        overwrite: Extract all images again.

    Returns:
        The output file. It is replaced at the end; what an interrupted run has extracted is kept.

    Raises:
        InvalidInput: If the configuration is invalid, or a file cannot be read or written.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If h5py is not installed.
    """
    path, root = _output(conf, export_dir, feature_path), Path(image_dir)
    preprocessing = Preprocessing.from_configuration(conf.get("preprocessing", {}))
    names = preprocessing.names(root) if image_list is None else read_names(image_list)
    known = set(group_names(path)) if path.exists() and not overwrite else set()
    names = [name for name in names if name not in known]
    if not names:
        return path
    extractor = _make_extractor(conf).to(choose_device("auto"))
    noise = KEYPOINT_NOISE_PX.get(conf["model"]["name"], 1.0)
    with updated_file(path, overwrite=overwrite) as file:
        for name in names:
            arrays, scale = _extract(extractor, preprocessing, root / name)
            if as_half:
                arrays |= {key: arrays[key].astype(np.float16) for key in ("descriptors", "scores")}
            group = file.create_group(name)
            write_features(group, **arrays)
            group["keypoints"].attrs["uncertainty"] = noise * scale
    return path


def read_raster(path: Path) -> Float32[Tensor, "3 h w"]:
    """Read an image without applying its EXIF orientation, as hloc does.

    Args:
        path: Image file.

    Returns:
        RGB in [0, 1], shape (3, h, w).

    Raises:
        InvalidInput: If the image cannot be read.
    """
    image = read_image(path)
    pixels = image.pixels.float() / 255 if image.pixels.dtype == torch.uint8 else image.pixels
    orientation = ORIENTATIONS[image.exif_orientation]
    raster = pixels.transpose(1, 2) if orientation.swaps_axes else pixels
    flipped = [
        axis for axis, is_flipped in ((2, orientation.flips_x), (1, orientation.flips_y)) if is_flipped
    ]
    return raster.flip(flipped).contiguous()


def _output(conf: Mapping[str, Any], export_dir: Path | None, feature_path: Path | None) -> Path:
    if feature_path is not None:
        return Path(feature_path)
    if export_dir is None:
        raise InvalidInput("no output: pass export_dir or feature_path")
    return Path(export_dir) / f"{conf['output']}.h5"


def _make_extractor(conf: Mapping[str, Any]) -> Extractor:
    name, options = model_options(conf, MODELS)
    if name == "aliked":
        return ALIKED(**options)
    limit = options.pop("max_keypoints", None)
    limit = limit if limit is not None and limit > 0 else None
    if name == "disk":
        return DISK(max_num_keypoints=limit, **options)
    if options.pop("fix_sampling", False):
        raise InvalidInput("fix_sampling: SuperPoint samples descriptors as published; omit the option")
    threshold = options.pop("keypoint_threshold", 0.005)
    return SuperPoint(max_num_keypoints=limit, detection_threshold=threshold, **options)


def _extract(extractor: Extractor, preprocessing: Preprocessing, path: Path) -> tuple[dict[str, Any], float]:
    """Return the arguments of `write_features`, and the mean scale in original px per resized px."""
    pixels = read_raster(path)
    resized = preprocessing.apply(pixels)
    features = extractor.forward({"image": resized[None].to(next(extractor.parameters()).device)})
    size, resized_size = (np.array([each.shape[2], each.shape[1]]) for each in (pixels, resized))
    scales = (size / resized_size).astype(np.float32)
    arrays = {
        key: features[name][0].cpu().numpy()
        for key, name in (
            ("keypoints", "keypoints"),
            ("descriptors", "descriptors"),
            ("scores", "keypoint_scores"),
        )
    }
    arrays["keypoints"] = (arrays["keypoints"] + 0.5) * scales - 0.5
    return arrays | {"image_size": (int(size[0]), int(size[1]))}, float(scales.mean())
