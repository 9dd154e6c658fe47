"""Data of a training: pairs to train on, and held-out pairs to validate on."""

import os
from collections.abc import Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image.listing import find_images
from tiepoint.io.hashing import text_digest
from tiepoint.io.progress import ProgressCallback
from tiepoint.training.config import DataConfig, TrainConfig
from tiepoint.training.data.colmap_images import CachedReconstruction, ColmapConfig, cache_reconstruction
from tiepoint.training.data.colmap_pairs import ColmapPairs
from tiepoint.training.data.deduplication import content_digests, drop_duplicates, duplicates_of
from tiepoint.training.data.homographic_warps import MIN_IMAGES, cache_warps
from tiepoint.training.data.pairs import HomographyPairs, PairDataset
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.validation import (
    ValidationPair,
    ValidationProtocol,
    find_protocol,
    held_out_pairs,
)

T = TypeVar("T")

HELD_OUT_FRACTION = 0.05

MIN_HELD_OUT, MAX_HELD_OUT = 4, 100
"""Bounds of the number of images held out without a folder of validation images."""


class Split(NamedTuple):
    """Training and held-out images; no content is on both sides.

    Attributes:
        training: Paths of the training images.
        held_out: Paths of the validation images.
        problems: Images that are not trained on, one line each.
    """

    training: list[Path]
    held_out: list[Path]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPaths:
    """Folders of a training.

    Attributes:
        images: Folder of the images.
        cache: Folder for features.
        val: Folder of validation images, possibly inside `images`; None holds out some of the images.
        colmap: Folder of a COLMAP reconstruction of the images; None trains on homographic warps.
        depth_maps: Folder of the depth maps of the reconstruction.
    """

    images: Path
    cache: Path
    val: Path | None = None
    colmap: Path | None = None
    depth_maps: Path | None = None

    @classmethod
    def from_config(
        cls, images: str | os.PathLike[str], out: str | os.PathLike[str], config: DataConfig
    ) -> "DataPaths":
        """Return the folders of a training; by default, the cache is inside the output folder."""
        optional = {name: getattr(config, name) for name in ("val", "colmap", "depth_maps")}
        return cls(
            images=Path(images),
            cache=Path(config.cache or Path(out) / "features"),
            **{name: None if path is None else Path(path) for name, path in optional.items()},
        )

    def split(self) -> Split:
        """Split the images into training and held-out images.

        Raises:
            InvalidInput: If there are too few training images.
        """
        images = find_images(self.images)
        if self.val is None:
            return Split(*split_held_out(drop_duplicates(images)))
        held_out = find_images(self.val)
        in_both = set(duplicates_of(held_out, images))
        training = [path for path in images if path not in in_both]
        return Split(training, held_out, self._report_overlap(len(images) - len(training), len(images)))

    def _report_overlap(self, count: int, total: int) -> tuple[str, ...]:
        """Return the problem that training images are also validation images, if any are."""
        if not count:
            return ()
        overlap = f"{count} of {total} images in {self.images} are also in {self.val}"
        if total - count < MIN_IMAGES and self.colmap is None:
            raise InvalidInput(
                f"expected at least {MIN_IMAGES} training images, but {overlap}; "
                "add images, or use other validation images (--val)"
            )
        return (f"{overlap} and are not trained on",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Training and validation pairs.

    Attributes:
        dataset: Training pairs.
        held_out: Validation pairs of other images.
        protocol: Protocol of the validation pairs.
        problems: Images that cannot be used or are held out of the training images, one line each.
    """

    dataset: PairDataset
    held_out: Sequence[ValidationPair]
    protocol: ValidationProtocol
    problems: tuple[str, ...]


def prepare_data(
    paths: DataPaths,
    config: TrainConfig,
    extractor: NeuralExtractor,
    context: DistributedContext,
    progress: ProgressCallback,
) -> TrainingData:
    """Extract the features of all training and validation images that are not cached yet.

    Args:
        paths: Folders of images and cache.
        config: Settings of the pairs, and their random seed.
        extractor: Feature extractor.
        context: Processes that train together; each extracts a part, and all read everything.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If there are too few images, or a folder cannot be read or written.
        StoreError: If the cache holds features of other settings.
        MissingDependency: If h5py, or pycolmap for a reconstruction, is not installed.
    """
    training, held_out, overlap = paths.split()
    protocol = find_protocol(config.data.warps.homography)
    pairs, unusable = context.sharded(
        lambda accepts: held_out_pairs(
            held_out,
            extractor,
            paths.cache / f"val-{protocol.name}",
            protocol,
            min_images=0,
            accepts=accepts,
            progress=progress,
        )
    )
    if paths.colmap is None:
        warps = context.sharded(
            lambda accepts: cache_warps(
                training,
                extractor,
                paths.cache / "train",
                config.data.warps,
                min_images=0,
                accepts=accepts,
                progress=progress,
            )
        )
        check_counts(len(warps), len(pairs), paths, (*unusable, *warps.problems))
        dataset = HomographyPairs(warps, seed=config.run.seed, negatives=config.data.negatives)
        problems = warps.problems
    else:
        dataset, problems = context.main_process_first(
            lambda: _colmap_pairs(paths, held_out, config, extractor, progress)
        )
    return TrainingData(
        dataset=dataset, held_out=pairs, protocol=protocol, problems=overlap + problems + unusable
    )


def split_held_out(images: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split images into training and held-out images, randomly by the hash of their names, whatever their order.

    Raises:
        InvalidInput: If there are too few images.
    """
    held_out = set(choose_held_out(images, lambda path: path.name))
    return [path for path in images if path not in held_out], [path for path in images if path in held_out]


def choose_held_out(items: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """Choose a part of the items for validation by the hash of their names, whatever their order.

    Args:
        items: Images.
        name: Function that returns the name of an item.

    Raises:
        InvalidInput: If there are too few.
    """
    if len(items) < MIN_IMAGES:
        raise InvalidInput(f"expected at least {MIN_IMAGES} different images, got {len(items)}; add more")
    count = min(max(round(HELD_OUT_FRACTION * len(items)), MIN_HELD_OUT), MAX_HELD_OUT)
    return sorted(items, key=lambda item: text_digest(name(item)))[:count]


def drop_images(reconstruction: CachedReconstruction, contents: AbstractSet[str]) -> CachedReconstruction:
    """Return a reconstruction without the images of these content digests.

    Raises:
        InvalidInput: If no pair is left.
    """
    kept = {key for key in reconstruction.covisible if key.rpartition("@")[2] not in contents}
    covisible = {key: others & kept for key, others in reconstruction.covisible.items() if key in kept}
    pairs = tuple(pair for pair in reconstruction.pairs if kept.issuperset(pair))
    if not pairs:
        raise InvalidInput(
            "every pair of the reconstruction has a held-out image; use other validation images (--val)"
        )
    return replace(reconstruction, pairs=pairs, covisible=covisible)


def _colmap_pairs(
    paths: DataPaths,
    held_out: Sequence[Path],
    config: TrainConfig,
    extractor: NeuralExtractor,
    progress: ProgressCallback,
) -> tuple[PairDataset, tuple[str, ...]]:
    """Return the pairs of a reconstruction without the held-out images, and its problems."""
    reconstruction = cache_colmap(paths, config, extractor, progress)
    reconstruction = drop_images(reconstruction, content_digests(held_out))
    pairs = ColmapPairs(reconstruction, seed=config.run.seed, negatives=config.data.negatives)
    return pairs, reconstruction.problems


def cache_colmap(
    paths: DataPaths, config: TrainConfig, extractor: NeuralExtractor, progress: ProgressCallback
) -> CachedReconstruction:
    """Cache the reconstruction of a training with its settings, as `cache_reconstruction` does."""
    assert paths.colmap is not None
    warps = config.data.warps
    return cache_reconstruction(
        paths.colmap,
        paths.images,
        extractor,
        paths.cache / "colmap",
        ColmapConfig(resize=warps.resize, max_keypoints=warps.max_keypoints),
        depth_maps=paths.depth_maps,
        progress=progress,
    )


def check_counts(training: int, held_out: int, paths: DataPaths, problems: Sequence[str]) -> None:
    """Check that enough images are usable; those held out of the same folder count too.

    Args:
        training: Number of usable training images.
        held_out: Number of usable validation images.
        paths: Folders of the training.
        problems: Images that cannot be used, one line each.

    Raises:
        InvalidInput: If there are too few.
    """
    usable = training + (held_out if paths.val is None else 0)
    first = f" ({problems[0]})" if problems else ""
    if usable < MIN_IMAGES:
        raise InvalidInput(
            f"expected at least {MIN_IMAGES} different images, got {usable} usable in {paths.images}{first}; add more"
        )
    if not held_out:
        raise InvalidInput(f"no usable validation image{first}; use other validation images (--val)")
