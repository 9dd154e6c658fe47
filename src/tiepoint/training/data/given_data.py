"""Data of a training for features read from files: pairs of a reconstruction, or of warps that were written as files.

A file has the features of images as they are. So pairs of views come from a reconstruction, which tells the ground truth
of real image pairs, or from warps that were written before the other program extracted features. The keypoints of an image
moved by a homography would be no second view: their descriptors would be equal, and a network would learn nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.io.config import to_dict
from tiepoint.io.hashing import text_digest
from tiepoint.io.messages import warn_once
from tiepoint.io.progress import ProgressCallback
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.colmap_images import CachedReconstruction
from tiepoint.training.data.colmap_pairs import ColmapPairs, ground_truth_from_poses
from tiepoint.training.data.dataset import (
    MAX_HELD_OUT,
    DataPaths,
    TrainingData,
    cache_colmap,
    check_counts,
    choose_held_out,
    drop_images,
)
from tiepoint.training.data.feature_files import FileExtractor
from tiepoint.training.data.homographic_warps import CachedWarps, can_match
from tiepoint.training.data.pairs import HomographyPairs
from tiepoint.training.data.warp_files import cache_warp_files
from tiepoint.training.data.warp_list import WARPS, WarpedImage, read_warps
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.validation import VALIDATION_PROTOCOLS, HeldOutPair, LabeledPair

WARP_SIZES = ("per_image", "resize")
"""Settings of warps that determine their files."""


def check_given_data(paths: DataPaths, config: TrainConfig) -> None:
    """Check that there are pairs of views for features from files, and that no setting of warps is ignored.

    Args:
        paths: Folders of the training.
        config: Settings of the training.

    Raises:
        InvalidInput: If the images are neither warps nor those of a reconstruction, validation images are given, or the
            warps are files that were written with other settings than those of the training.
    """
    if paths.val is not None:
        raise InvalidInput(
            "val cannot be combined with features from files: images of the same file are held out; leave it out"
        )
    if paths.colmap is None and not (paths.images / WARPS).is_file():
        raise InvalidInput(
            f"cannot train on features from files without ground truth: {paths.images} contains no {WARPS}, and colmap is "
            "not set; give the reconstruction of the images (--colmap), or write warps with `tiepoint warps`, extract their "
            "features and train on that folder"
        )
    if paths.colmap is None:
        _check_settings(paths, config)


def _check_settings(paths: DataPaths, config: TrainConfig) -> None:
    """Refuse settings of warps that were changed from the recipe's; warn if the homographies are not the recipe's."""
    requested, recipe = (
        to_dict(settings.data.warps) for settings in (config, TrainConfig.from_recipe(config.recipe))
    )
    changed = {name: requested[name] for name in WARP_SIZES if requested[name] != recipe[name]}
    check_warp_sizes(paths.images, changed)
    recorded = requested | read_warps(paths.images).settings
    usual = to_dict(TrainConfig().data.warps)["homography"]
    if requested["homography"] not in (recorded["homography"], usual):
        warn_once(
            "homographies of given warps",
            f"the homographies of the recipe {config.recipe} have no effect on the warps in {paths.images}, which were written "
            f"with others; write them with `tiepoint warps --recipe {config.recipe}`",
        )


def check_warp_sizes(images: Path, requested: Mapping[str, int]) -> None:
    """Check that requested sizes are those of the warps in a folder.

    Args:
        images: Folder written by `tiepoint warps`.
        requested: Values of some of `WARP_SIZES`, by name.

    Raises:
        InvalidInput: If the warps were written with others.
    """
    recorded = read_warps(images).settings
    for name, value in requested.items():
        if value != recorded.get(name, value):
            raise InvalidInput(
                f"{name}={value} has no effect on the warps in {images}, which were written with "
                f"{name}={recorded[name]}; leave it out, or write them again with `tiepoint warps`"
            )


def prepare_given_data(
    paths: DataPaths,
    config: TrainConfig,
    extractor: FileExtractor,
    context: DistributedContext,
    progress: ProgressCallback,
) -> TrainingData:
    """Read the features of all images into the cache.

    Args:
        paths: Folders of images and cache.
        config: Settings of the pairs, and their random seed.
        extractor: Features of the files.
        context: Processes that train together.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If too few images have features, or a folder cannot be read or written.
        StoreError: If the cache holds other features.
        MissingDependency: If h5py, or pycolmap for a reconstruction, is not installed.
    """
    if paths.colmap is None:
        return context.main_process_first(lambda: _from_warps(paths, config, extractor, progress))
    return context.main_process_first(lambda: _from_reconstruction(paths, config, extractor, progress))


def _from_warps(
    paths: DataPaths, config: TrainConfig, extractor: FileExtractor, progress: ProgressCallback
) -> TrainingData:
    listed = read_warps(paths.images)
    held_out = choose_held_out(listed.images, lambda image: image.key)
    held_out_keys = {image.key for image in held_out}
    training = tuple(image for image in listed.images if image.key not in held_out_keys)

    def cache(images: tuple[WarpedImage, ...], folder: str) -> CachedWarps:
        limit = config.data.warps.max_keypoints
        return cache_warp_files(
            replace(listed, images=images), extractor, paths.cache / folder, limit, progress=progress
        )

    warps, validation = cache(training, "train"), cache(tuple(held_out), "val-given-warps")
    pairs, unusable = first_warps(validation)
    problems = warps.problems + validation.problems + unusable
    check_counts(len(warps), len(pairs), paths, problems)
    return TrainingData(
        dataset=HomographyPairs(warps, seed=config.run.seed, negatives=config.data.negatives),
        held_out=pairs,
        protocol=VALIDATION_PROTOCOLS["given-warps"],
        problems=problems,
    )


def first_warps(validation: CachedWarps) -> tuple[list[HeldOutPair], tuple[str, ...]]:
    """Return the first two warps of each image, and one line for each image whose two warps have no match.

    Args:
        validation: Held-out images with cached warps.
    """
    pairs: list[HeldOutPair] = []
    problems: list[str] = []
    for index in range(len(validation)):
        first, second = validation.read(index)[:2]
        if can_match((first, second)):
            pairs.append(HeldOutPair(first, second))
        else:
            source = first.features.source
            problems.append(
                f"the first two warps of {source} have no match by the ground truth; they validate nothing"
            )
    return pairs, tuple(problems)


def _from_reconstruction(
    paths: DataPaths, config: TrainConfig, extractor: FileExtractor, progress: ProgressCallback
) -> TrainingData:
    reconstruction = cache_colmap(paths, config, extractor, progress)
    contents = choose_held_out_contents(reconstruction)
    training = drop_images(reconstruction, contents)
    return TrainingData(
        dataset=ColmapPairs(training, seed=config.run.seed, negatives=config.data.negatives),
        held_out=_labeled_pairs(reconstruction, contents),
        protocol=VALIDATION_PROTOCOLS["reconstruction"],
        problems=reconstruction.problems,
    )


def choose_held_out_contents(reconstruction: CachedReconstruction) -> set[str]:
    """Choose content digests of images for validation, among those that have pairs.

    Args:
        reconstruction: Reconstruction with features.

    Raises:
        InvalidInput: If too few images have pairs.
    """
    keys = sorted({key for pair in reconstruction.pairs for key in pair})
    return {key.rpartition("@")[2] for key in choose_held_out(keys, lambda key: key)}


def _labeled_pairs(reconstruction: CachedReconstruction, contents: set[str]) -> list[LabeledPair]:
    """Return some pairs with a held-out image, the same ones at every start."""

    def is_held_out(pair: tuple[str, str]) -> bool:
        return any(key.rpartition("@")[2] in contents for key in pair)

    pairs = sorted(filter(is_held_out, reconstruction.pairs), key=lambda pair: text_digest("\0".join(pair)))
    if not pairs:
        raise InvalidInput("no pair of the reconstruction has a held-out image; use a larger reconstruction")
    labeled: list[LabeledPair] = []
    for pair in pairs[:MAX_HELD_OUT]:
        image0, image1 = (reconstruction.read(key) for key in pair)
        truth = ground_truth_from_poses(image0, image1)
        labeled.append(LabeledPair((image0.features, image1.features), truth))
    return labeled
