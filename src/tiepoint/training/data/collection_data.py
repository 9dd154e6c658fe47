"""Data of a training on a matched collection: its verified pairs, mixed with warps of single images."""

import logging
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.geometry.ground_truth import GroundTruth
from tiepoint.image.listing import find_images
from tiepoint.io.progress import ProgressCallback
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.dataset import MAX_HELD_OUT, DataPaths, TrainingData
from tiepoint.training.data.deduplication import drop_duplicates, duplicates_of
from tiepoint.training.data.homographic_warps import MIN_IMAGES, cache_warps
from tiepoint.training.data.pairs import HomographyPairs, PairDataset, PairSample, digest
from tiepoint.training.data.verified_pairs import VerifiedPairs, split_verified_pairs
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.validation import VALIDATION_PROTOCOLS, LabeledPair

logger = logging.getLogger(__name__)


class MixedPairs(PairDataset):
    """Pairs of two datasets for the same features, in random order.

    Args:
        first: A dataset.
        second: Another dataset.
        fraction: Fraction of the pairs of `second`.
        seed: Random seed of the choice.
    """

    def __init__(self, first: PairDataset, second: PairDataset, fraction: float, seed: int) -> None:
        self.datasets, self.fraction, self.seed = (first, second), fraction, seed
        self.kind, self.descriptor_dim, self.position_dim = (
            first.kind,
            first.descriptor_dim,
            first.position_dim,
        )
        self.fingerprint = digest([first.fingerprint, second.fingerprint, repr(fraction), repr(seed)])

    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""
        # another random stream than those of the datasets
        generator = np.random.default_rng([self.seed, index, 1])
        return self.datasets[int(generator.random() < self.fraction)][index]

    def close(self) -> None:
        """Close both datasets."""
        for dataset in self.datasets:
            dataset.close()


def prepare_collection_data(
    paths: DataPaths,
    config: TrainConfig,
    extractor: NeuralExtractor,
    context: DistributedContext,
    progress: ProgressCallback,
) -> TrainingData:
    """Choose pairs of a collection, and extract the features of the warps that are not cached yet.

    Args:
        paths: Folders of images and cache.
        config: Settings of the pairs, and their random seed.
        extractor: Feature extractor.
        context: Processes that train together; each extracts a part, and all read everything.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If the collection has too few verified pairs or other features, or a folder cannot be read or written.
        StoreError: If the cache holds features of other settings, or the collection is damaged.
        MissingDependency: If h5py is not installed.
    """
    assert config.data.collection is not None
    collection = open_collection(config.data.collection)
    split = split_verified_pairs(collection)
    _check_features(collection, split.training[0][0], extractor)
    data, seed = config.data, config.run.seed
    real = VerifiedPairs(
        collection,
        split.training,
        max_keypoints=data.warps.max_keypoints,
        seed=seed,
        negatives=data.negatives,
    )
    dataset, problems = real, ()
    if data.warp_fraction > 0:
        images = _without(drop_duplicates(find_images(paths.images)), collection, split.held_out_images)
        warps = context.sharded(
            lambda accepts: cache_warps(
                images,
                extractor,
                paths.cache / "train",
                data.warps,
                min_images=0,
                accepts=accepts,
                progress=progress,
            )
        )
        if len(warps) < MIN_IMAGES:
            first = f" ({warps.problems[0]})" if warps.problems else ""
            raise InvalidInput(
                f"expected at least {MIN_IMAGES} images for warps, got {len(warps)} usable in {paths.images}{first}; add "
                "images, or train on verified pairs alone (--warp-fraction 0)"
            )
        synthetic = HomographyPairs(warps, seed=seed, negatives=data.negatives)
        dataset, problems = MixedPairs(real, synthetic, data.warp_fraction, seed), warps.problems
    held_out = [labeled_pair(real.sample(pair)) for pair in split.held_out[:MAX_HELD_OUT]]
    logger.info("%d verified pairs to train on, %d to validate", len(split.training), len(held_out))
    return TrainingData(
        dataset=dataset,
        held_out=held_out,
        protocol=VALIDATION_PROTOCOLS["verified-pairs"],
        problems=problems,
    )


def labeled_pair(sample: PairSample) -> LabeledPair:
    """Return a validation pair of a sample.

    Args:
        sample: Features of two images with ground truth.
    """
    return LabeledPair((sample.features0, sample.features1), GroundTruth(sample.matches0, sample.matches1))


def _without(images: list[Path], collection: Collection, held_out: AbstractSet[str]) -> list[Path]:
    """Leave out the held-out images of a collection, whatever their names."""
    paths = [image.path for image in collection.state.images if image.name in held_out]
    excluded = set(duplicates_of([path for path in paths if path.is_file()], images))
    return [path for path in images if path not in excluded]


def _check_features(collection: Collection, name: str, extractor: NeuralExtractor) -> None:
    kind = collection.features(name).kind
    if kind != extractor.settings.kind:
        raise InvalidInput(
            f"{collection.folder} has features of kind {kind}, but the extractor gives {extractor.settings.kind}; set the "
            "extractor of the collection (--extractor), or match the images again with another preset"
        )
