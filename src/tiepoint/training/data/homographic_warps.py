"""Homographic warps of images: random crops by homographies, with cached features, so that they are extracted once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.feature_store import JSONScalar, Store
from tiepoint.feature_store.records import DTYPES, features_from_record, features_to_record
from tiepoint.geometry.ground_truth import ground_truth_from_homography
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import Image, ImageTransform, read_image
from tiepoint.io.batching import batched
from tiepoint.io.config import to_dict
from tiepoint.io.hashing import file_digest
from tiepoint.io.progress import ProgressCallback, no_progress, track
from tiepoint.io.validation import check_integer
from tiepoint.training.data.photometric import augment, find_augmentation
from tiepoint.training.data.random_homography import HomographyConfig, mean_scale, random_homography
from tiepoint.training.distributed import KeyFilter, accept_all
from tiepoint.types import Features
from tiepoint.types.options import Stretch

KIND = "warps"
"""Kind of the records: one per image, with all its warps."""

SHARD_SIZE = 8
"""Images per shard: the work that is lost if the program is killed."""

KEY_LENGTH = 32
"""Hexadecimal digits of an image's key."""

MIN_IMAGES = 10
"""Minimum number of training images; with fewer, a network memorizes them."""

MIN_SIDE = 64
"""Minimum length in px of the shorter side of a training image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpConfig:
    """Settings of the warps of an image and of their features.

    Attributes:
        per_image: Number of warps per image.
        resize: Longer side of a warp in px; at most that of the image.
        max_keypoints: Maximum number of keypoints per warp, highest scores first.
        homography: Distribution of the random homographies.
        augmentation: Key of `tiepoint.training.data.photometric.AUGMENTATIONS`.
        seed: Random seed; it is combined with the content of each image.

    Raises:
        InvalidInput: If there are fewer than 2 warps per image, a size is below 64 px, there are no keypoints, or the
            augmentation is unknown.
    """

    per_image: int = 3
    resize: int = 512
    max_keypoints: int = 512
    homography: HomographyConfig = field(default_factory=HomographyConfig)
    augmentation: str = "standard"
    seed: int = 0

    def __post_init__(self) -> None:
        find_augmentation(self.augmentation)
        minima = {"per_image": 2, "resize": MIN_SIDE, "max_keypoints": 1, "seed": 0}
        for name, minimum in minima.items():
            check_integer(name, getattr(self, name), minimum)


class Warp(NamedTuple):
    """A homographic warp of an image.

    Attributes:
        features: Features of the warp.
        homography: Homography image_from_warp, in px.
    """

    features: Features
    homography: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedWarps:
    """Images with the features of their warps in a store.

    Attributes:
        store: Store with one record per image.
        keys: Keys of the images, in their order: digests of their content, so duplicates count once.
        problems: Images that cannot be used, one line each.
    """

    store: Store
    keys: tuple[str, ...]
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, index: int) -> list[Warp]:
        """Read all warps of an image."""
        return warps_from_record(self.store.read(KIND, self.keys[index]))


def cache_warps(
    images: Sequence[Path],
    extractor: NeuralExtractor,
    folder: str | Path,
    config: WarpConfig | None = None,
    *,
    min_images: int = MIN_IMAGES,
    accepts: KeyFilter = accept_all,
    progress: ProgressCallback = no_progress,
) -> CachedWarps:
    """Create the warps of every image once, and store their features. Resumable.

    A warp depends on the config and the content of its image alone, so images can be added later.

    Args:
        images: Paths of the images, for example from `tiepoint.image.listing.find_images`.
        extractor: Extractor; the config replaces its maximum number of keypoints and its image size.
        folder: Folder of the store; new, empty, or created with the same extractor and config.
        config: Settings; None uses the defaults.
        min_images: Minimum number of usable images.
        accepts: Selects the images that this process extracts, by key; others may be missing.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If too few images are usable, or the store cannot be written.
        StoreError: If the folder holds other files, or warps of other settings; the message shows the difference.
        MissingDependency: If h5py is not installed.
    """
    config = config or WarpConfig()
    extractor = _for_warps(extractor, config.max_keypoints)
    store = Store(folder, _store_settings(extractor, config))
    paths, problems = image_keys(images)
    missing = list(filter(accepts, store.missing(KIND, paths)))
    for batch in track(list(batched(missing, SHARD_SIZE)), "extracting warps", progress):
        records, broken = _make_records({key: paths[key] for key in batch}, extractor, config)
        problems |= broken
        if records:
            store.write(KIND, records)
    keys = tuple(key for key, path in paths.items() if path not in problems)
    _check_count(len(keys), min_images, images, problems)
    return CachedWarps(store=store, keys=keys, problems=tuple(problems.values()))


def make_warp(
    image: Image, generator: np.random.Generator, config: WarpConfig
) -> tuple[Image, Float[np.ndarray, "3 3"]]:
    """Create a random warp of an image; returns it with its homography image_from_warp, in px."""
    longer = max(image.image_size)
    warp_size = ImageTransform.fit(image.image_size, min(config.resize, longer)).resized_size
    homography = random_homography(generator, image.image_size, warp_size, config.homography)
    pixels = warp_image(image, homography, warp_size)
    return Image(pixels=augment(pixels, config.augmentation, generator), source=image.source), homography


def warp_generator(config: WarpConfig, key: str, index: int) -> np.random.Generator:
    """Return the random generator of a warp.

    Args:
        config: Settings of the warps.
        key: Key of the image.
        index: Number of the warp.
    """
    return np.random.default_rng([config.seed, int(key, 16), index])


def warp_image(
    image: Image, homography: Float[np.ndarray, "3 3"], warp_size: tuple[int, int]
) -> Float32[Tensor, "3 h w"]:
    """Warp an image bilinearly; where the warp is coarser, the image is reduced first, against aliasing.

    Args:
        image: Image of any size.
        homography: Homography image_from_warp, in px.
        warp_size: Size (width, height) of the warp in px.
    """
    width, height = warp_size
    longer = max(image.image_size)
    resize = max(1, round(longer / mean_scale(homography, warp_size)))
    transform = ImageTransform.fit(image.image_size, min(longer, resize))
    y, x = np.mgrid[:height, :width]
    points = torch.from_numpy(warp_points(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64), homography))
    reduced_size = points.new_tensor(transform.resized_size)
    grid = (2 * transform.to_resized(points) + 1) / reduced_size - 1  # -1 and 1 are the image edges
    return F.grid_sample(
        transform.apply(image)[None],
        grid.float().reshape(1, height, width, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[0]


def warps_to_record(warps: Sequence[Warp], source: str) -> dict[str, Any]:
    """Convert the warps of an image to a record; arrays are concatenated, since many small ones are slow to read."""
    records = [features_to_record(warp.features) for warp in warps]
    arrays = {
        name: np.concatenate([record[name] for record in records])
        for name, value in records[0].items()
        if isinstance(value, np.ndarray)
    }
    counts = np.array([len(warp.features) for warp in warps], np.int32)
    homographies = np.stack([warp.homography for warp in warps])
    return {**records[0], **arrays, "counts": counts, "homographies": homographies, "source": source}


def warps_from_record(record: dict[str, Any]) -> list[Warp]:
    """Invert `warps_to_record`; the source of every warp is the image."""
    ends = np.cumsum(record["counts"])[:-1]
    arrays = {name: np.split(record[name], ends) for name in DTYPES if name in record}
    return [
        Warp(
            features_from_record(record | {name: parts[index] for name, parts in arrays.items()}), homography
        )
        for index, homography in enumerate(record["homographies"])
    ]


def _make_records(
    paths: dict[str, Path], extractor: NeuralExtractor, config: WarpConfig
) -> tuple[dict[str, dict[str, Any]], dict[Path, str]]:
    """Return records by key, and problems by path."""
    records, problems = {}, {}
    for key, path in paths.items():
        try:
            image = read_training_image(path, extractor.settings.stretch)
        except InvalidInput as error:
            problems[path] = str(error)
        else:
            warps = [_extract(image, key, index, extractor, config) for index in range(config.per_image)]
            if can_match(warps):
                records[key] = warps_to_record(warps, str(path))
            else:
                problems[path] = no_keypoints(path)
    return records, problems


def no_keypoints(path: str | Path) -> str:
    """Return the problem of an image without keypoints."""
    return f"no keypoints in {path}: nothing can be learned from it; use images with texture"


def can_match(warps: Sequence[Warp]) -> bool:
    """Return whether two of the warps have a match by the ground truth; keypoints of augmentation noise rarely do.

    Args:
        warps: Warps of an image.
    """
    return any(_has_match(*pair) for pair in combinations(warps, 2))


def _has_match(warp0: Warp, warp1: Warp) -> bool:
    homography = np.linalg.inv(warp1.homography) @ warp0.homography
    truth = ground_truth_from_homography(warp0.features.keypoints, warp1.features.keypoints, homography)
    return bool((truth.matches0 >= 0).any())


def _extract(image: Image, key: str, index: int, extractor: NeuralExtractor, config: WarpConfig) -> Warp:
    warped, homography = make_warp(image, warp_generator(config, key, index), config)
    return Warp(extractor.extract(warped), homography)


def read_training_image(path: Path, stretch: Stretch) -> Image:
    """Read an image to train on.

    Args:
        path: Path of the image.
        stretch: Percentile stretch.

    Raises:
        InvalidInput: If it cannot be read, is of one color, or is too small.
    """
    image = read_image(path, stretch=stretch)
    if bool((image.pixels.amax((1, 2)) == image.pixels.amin((1, 2))).all()):
        raise InvalidInput(no_keypoints(path))
    width, height = image.image_size
    if min(width, height) < MIN_SIDE:
        raise InvalidInput(
            f"{path} is too small: {width} x {height} px; expected at least {MIN_SIDE} px per side"
        )
    return image


def image_keys(images: Sequence[Path]) -> tuple[dict[str, Path], dict[Path, str]]:
    """Return key -> path, the first of duplicates; and path -> problem of unreadable files."""
    paths: dict[str, Path] = {}
    problems: dict[Path, str] = {}
    for path in images:
        try:
            paths.setdefault(file_digest(path)[:KEY_LENGTH], path)
        except OSError as error:
            problems[path] = f"cannot read {path}: {error.strerror or error}"
    return paths, problems


def _for_warps(extractor: NeuralExtractor, max_keypoints: int) -> NeuralExtractor:
    """Return the extractor without resizing: warps have the size that is trained for."""
    return extractor.with_settings(replace(extractor.settings, resize=None, max_keypoints=max_keypoints))


def _store_settings(extractor: NeuralExtractor, config: WarpConfig) -> dict[str, JSONScalar]:
    """Return flat settings, so that a difference is reported by its name."""
    values = to_dict(config)
    homography = values.pop("homography")
    return {
        "extractor": extractor.settings.kind,
        "features": extractor.fingerprint,
        **values,
        **homography,
    }


def _check_count(usable: int, minimum: int, images: Sequence[Path], problems: dict[Path, str]) -> None:
    if usable < minimum:
        first = f" ({next(iter(problems.values()))})" if problems else ""
        raise InvalidInput(
            f"expected at least {minimum} different images, got {usable} usable of {len(images)}{first}; add more"
        )
