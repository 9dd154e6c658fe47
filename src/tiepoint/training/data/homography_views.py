"""Views of photographs: cut out by random homographies, and their features kept, so that they are extracted once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import Image, ImageTransform, read_image
from tiepoint.io.config import to_dict
from tiepoint.io.progress import Track, untracked
from tiepoint.training.data.photometric import augment, find_augmentation
from tiepoint.training.data.random_homography import WarpSettings, magnification, random_homography
from tiepoint.training.distributed import Owns, owns_all
from tiepoint.types import Features

KIND = "views"
"""Of records: one a photograph, with all its views."""

SHARD = 8
"""Photographs that are written together: what is lost when the program is killed."""

MIN_PHOTOGRAPHS = 10
"""Fewer teach a network those photographs, and nothing else."""

MIN_SIDE = 64
"""In px; the shorter side of a photograph that views are cut from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """Everything that decides which views a photograph gives, and which of their keypoints are kept.

    Attributes:
        views: of each photograph.
        size: longer side of a view in px; that of the photograph where it is smaller.
        max_keypoints: of a view; the strongest are kept.
        warp: how far the views are from the photograph.
        augmentation: key of `tiepoint.training.data.photometric.AUGMENTATIONS`.
        seed: with the content of a photograph, decides all that is random.

    Raises:
        InvalidInput: fewer than 2 views, a size below 64 px, no keypoints, or an unknown augmentation.
    """

    views: int = 3
    size: int = 512
    max_keypoints: int = 512
    warp: WarpSettings = field(default_factory=WarpSettings)
    augmentation: str = "standard"
    seed: int = 0

    def __post_init__(self) -> None:
        find_augmentation(self.augmentation)
        for name, least in (("views", 2), ("size", MIN_SIDE), ("max_keypoints", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InvalidInput(f"{name} must be at least {least}, but is {getattr(self, name)}")


class View(NamedTuple):
    """What is kept of a view: its features, and `photograph_from_view`, from px to px."""

    features: Features
    homography: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedViews:
    """Photographs whose views are in a store.

    Attributes:
        store: with a record a photograph.
        keys: of the photographs, in the given order: digests of their content, so that copies count once.
        problems: photographs that can't be used, one line each.
    """

    store: Store
    keys: tuple[str, ...]
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, index: int) -> list[View]:
        """All views of a photograph."""
        return views_from_record(self.store.read(KIND, self.keys[index]))


def cache_views(
    photographs: Sequence[Path],
    extractor: NeuralExtractor,
    folder: str | Path,
    settings: ViewSettings | None = None,
    *,
    at_least: int = MIN_PHOTOGRAPHS,
    owns: Owns = owns_all,
    track: Track = untracked,
) -> CachedViews:
    """Make the views of every photograph once, and keep their features.

    Killed at any time, it goes on where it was. A view is decided by the settings and the photograph's content, not by
    the photographs around it, so more can be added later.

    Args:
        photographs: `tiepoint.image.listing.find_images` lists those of a folder.
        extractor: its own number of keypoints and its resizing give way to those of the settings.
        folder: of the store; new, empty, or made with the same extractor and settings.
        settings: None: the defaults.
        at_least: so many photographs must be usable.
        owns: which photographs, by the digests of their contents, this process makes; others may be missing then.
        track: shows progress.

    Raises:
        InvalidInput: too few photographs can be used, or the store can't be written to.
        StoreError: the folder holds something else, or views of other settings: the message shows the difference.
        MissingDependency: h5py isn't installed.
    """
    settings = settings or ViewSettings()
    extractor = _for_views(extractor, settings.max_keypoints)
    store = Store(folder, _store_settings(extractor, settings))
    paths, problems = _digests(photographs)
    missing = list(filter(owns, store.missing(KIND, paths)))
    for batch in track(batches(missing), f"views of {len(missing)} photographs"):
        records, broken = _make_records({key: paths[key] for key in batch}, extractor, settings)
        problems |= broken
        if records:
            store.write(KIND, records)
    keys = tuple(key for key, path in paths.items() if path not in problems)
    _check_number(len(keys), at_least, photographs, problems)
    return CachedViews(store=store, keys=keys, problems=tuple(problems.values()))


def make_view(
    photograph: Image, generator: np.random.Generator, settings: ViewSettings
) -> tuple[Image, Float[np.ndarray, "3 3"]]:
    """Cut a view out of a photograph; the homography is photograph_from_view, from px to px."""
    longer = max(photograph.image_size)
    view_size = ImageTransform.fit(photograph.image_size, min(settings.size, longer)).resized_size
    homography = random_homography(generator, photograph.image_size, view_size, settings.warp)
    pixels = warp_image(photograph, homography, view_size)
    return Image(pixels=augment(pixels, settings.augmentation, generator)), homography


def warp_image(
    photograph: Image, homography: Float[np.ndarray, "3 3"], view_size: tuple[int, int]
) -> Float32[Tensor, "3 h w"]:
    """Show a photograph as a view sees it, bilinearly; reduced before, where the view is coarser, against aliasing.

    Args:
        photograph: of any size.
        homography: photograph_from_view, from px to px.
        view_size: (width, height) in px.
    """
    width, height = view_size
    longer = max(photograph.image_size)
    resize = max(1, round(longer / magnification(homography, view_size)))
    transform = ImageTransform.fit(photograph.image_size, min(longer, resize))
    y, x = np.mgrid[:height, :width]
    places = torch.from_numpy(warp_points(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64), homography))
    reduced_size = torch.tensor(transform.resized_size)
    grid = (2 * transform.to_resized(places) + 1) / reduced_size - 1  # -1 and 1 are the image's edges
    return F.grid_sample(
        transform.apply(photograph)[None],
        grid.float().reshape(1, height, width, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[0]


def views_to_record(views: Sequence[View], source: str) -> dict[str, Any]:
    """The record of a photograph: the arrays of its views one after the other, since many small ones read slowly."""
    records = [features_to_record(view.features) for view in views]
    arrays = {
        name: np.concatenate([record[name] for record in records])
        for name, value in records[0].items()
        if isinstance(value, np.ndarray)
    }
    counts = np.array([len(view.features) for view in views], np.int32)
    homographies = np.stack([view.homography for view in views])
    return {**records[0], **arrays, "counts": counts, "homographies": homographies, "source": source}


def views_from_record(record: dict[str, Any]) -> list[View]:
    """The inverse of `views_to_record`; every view has the photograph as its source."""
    ends = np.cumsum(record["counts"])[:-1]
    arrays = {name: np.split(record[name], ends) for name in DTYPES if name in record}
    return [
        View(
            features_from_record(record | {name: parts[number] for name, parts in arrays.items()}), homography
        )
        for number, homography in enumerate(record["homographies"])
    ]


def _make_records(
    paths: dict[str, Path], extractor: NeuralExtractor, settings: ViewSettings
) -> tuple[dict[str, dict[str, Any]], dict[Path, str]]:
    """Records by key, and problems by path."""
    records, problems = {}, {}
    for key, path in paths.items():
        try:
            photograph = _read(path)
        except InvalidInput as error:
            problems[path] = str(error)
        else:
            views = [
                _extract(photograph, key, number, extractor, settings) for number in range(settings.views)
            ]
            records[key] = views_to_record(views, str(path))
    return records, problems


def _extract(
    photograph: Image, key: str, number: int, extractor: NeuralExtractor, settings: ViewSettings
) -> View:
    generator = np.random.default_rng([settings.seed, int(key, 16), number])
    view, homography = make_view(photograph, generator, settings)
    return View(extractor.extract(view), homography)


def _read(path: Path) -> Image:
    photograph = read_image(path)
    width, height = photograph.image_size
    if min(width, height) < MIN_SIDE:
        raise InvalidInput(f"{path} has {width} x {height} px; views need at least {MIN_SIDE} px a side")
    return photograph


def _digests(photographs: Sequence[Path]) -> tuple[dict[str, Path], dict[Path, str]]:
    """Digests of contents -> paths, the first of copies; and paths that can't be read -> problems."""
    paths: dict[str, Path] = {}
    problems: dict[Path, str] = {}
    for path in photographs:
        try:
            with path.open("rb") as file:
                paths.setdefault(hashlib.file_digest(file, "sha256").hexdigest()[:32], path)
        except OSError as error:
            problems[path] = f"can't read {path}: {error.strerror or error}"
    return paths, problems


def _for_views(extractor: NeuralExtractor, max_keypoints: int) -> NeuralExtractor:
    """The same network for views as they are: their size is the one that is trained for."""
    return NeuralExtractor(
        extractor.network, replace(extractor.settings, resize=None, max_keypoints=max_keypoints)
    )


def _store_settings(extractor: NeuralExtractor, settings: ViewSettings) -> dict[str, JSONScalar]:
    """Flat, so that a difference is shown by its name."""
    values = to_dict(settings)
    warp = values.pop("warp")
    return {"extractor": extractor.settings.kind, "features": extractor.fingerprint, **values, **warp}


def _check_number(usable: int, at_least: int, photographs: Sequence[Path], problems: dict[Path, str]) -> None:
    if usable < at_least:
        first = f", the first because {next(iter(problems.values()))}" if problems else ""
        raise InvalidInput(
            f"expected at least {at_least} different photographs, but only {usable} of {len(photographs)} can be used"
            f"{first}; add more"
        )


def batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    """What is written together."""
    return [items[start : start + SHARD] for start in range(0, len(items), SHARD)]
