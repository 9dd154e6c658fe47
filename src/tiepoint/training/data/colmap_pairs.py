"""Covisible pairs of a COLMAP reconstruction, with ground truth from 3D points and epipolar lines."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.geometry.colmap import upright_points
from tiepoint.geometry.ground_truth import EPIPOLAR_PX, GroundTruth, ground_truth_from_projections, no_matches
from tiepoint.geometry.multiview import epipolar_lines, essential_from_pose, relative_pose, to_homogeneous
from tiepoint.training.data.colmap_images import CachedReconstruction, PosedImage
from tiepoint.training.data.pairs import (
    PairDataset,
    PairSample,
    check_fraction,
    describe_features,
    digest,
    epoch_permutation,
)


class ColmapPairs(PairDataset):
    """Covisible image pairs of a reconstruction, each once per epoch, in random order and orientation.

    Some of them are replaced by negatives: pairs that share no 3D point, in which nothing matches. A reconstruction
    with points shared by all image pairs has no negatives.

    Args:
        reconstruction: Reconstruction with cached features.
        seed: Random seed of the pairs and their order.
        negatives: Fraction of negative pairs, in [0, 1].
        cache_size: Number of images whose features are kept in memory.

    Raises:
        InvalidInput: If the fraction is outside [0, 1].
    """

    def __init__(
        self,
        reconstruction: CachedReconstruction,
        *,
        seed: int = 0,
        negatives: float = 0.05,
        cache_size: int = 64,
    ) -> None:
        check_fraction("negatives", negatives)
        self.reconstruction, self.seed = reconstruction, seed
        pairs, covisible = reconstruction.pairs, reconstruction.covisible
        self._with_negatives = [key for key, others in covisible.items() if len(others) < len(covisible) - 1]
        self.negatives = negatives if self._with_negatives else 0.0
        self._read = lru_cache(maxsize=cache_size)(reconstruction.read)
        self._order = lru_cache(maxsize=2)(lambda epoch: epoch_permutation(seed, epoch, len(pairs)))
        first = self._read(pairs[0][0])
        self.kind, self.descriptor_dim, self.position_dim = describe_features(first.features)
        names = [name for pair in pairs for name in pair]
        settings = map(repr, [seed, self.negatives])
        self.fingerprint = digest([reconstruction.store.fingerprint, *names, *covisible, *settings])

    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""
        generator = np.random.default_rng([self.seed, index])
        if generator.random() < self.negatives:
            return self._negative(generator)
        pairs = self.reconstruction.pairs
        epoch, position = divmod(index, len(pairs))
        pair = pairs[int(self._order(epoch)[position])]
        swapped = generator.random() < 0.5
        image0, image1 = (self._read(key) for key in (pair[::-1] if swapped else pair))
        truth = ground_truth_from_poses(image0, image1)
        return PairSample(features0=image0.features, features1=image1.features, **truth._asdict())

    def _negative(self, generator: np.random.Generator) -> PairSample:
        key = self._with_negatives[generator.integers(len(self._with_negatives))]
        candidates = self.reconstruction.non_covisible(key)
        other = candidates[generator.integers(len(candidates))]
        features0, features1 = (self._read(key).features for key in (key, other))
        truth = no_matches(len(features0), len(features1))
        return PairSample(features0=features0, features1=features1, **truth._asdict())


def ground_truth_from_poses(image0: PosedImage, image1: PosedImage) -> GroundTruth:
    """Label the keypoints of two posed images; thresholds are in px of the images that the extractor processed."""
    return ground_truth_from_projections(
        image0.features.keypoints / image0.scale,
        image1.features.keypoints / image1.scale,
        _project(image0.points, image1) / image1.scale,
        _project(image1.points, image0) / image0.scale,
        possible=_epipolar_distances_px(image0, image1) <= EPIPOLAR_PX,
    )


def _project(points: Float[np.ndarray, "n 3"], image: PosedImage) -> Float[Tensor, "n 2"]:
    """Project 3D points into an image, in px of the upright image.

    Points behind the camera or outside the valid range of its distortion become inf: no keypoint observes them.
    """
    R, t = image.cam_from_world[:, :3], image.cam_from_world[:, 3]
    in_camera = points @ R.T + t
    known = ~np.isnan(points).any(1)
    projected = np.full((len(points), 2), np.nan)
    projected[known] = upright_points(image.camera.img_from_cam(in_camera[known]), image.features)
    invisible = known & (np.isnan(projected).any(1) | (in_camera[:, 2] <= 0))
    projected[invisible] = np.inf
    return torch.from_numpy(projected)


def _epipolar_distances_px(image0: PosedImage, image1: PosedImage) -> Float[Tensor, "m n"]:
    """Return the epipolar distances of all keypoint pairs, the larger of both images; 0 for undefined lines."""
    pose = relative_pose(image0.cam_from_world, image1.cam_from_world)
    E = essential_from_pose(pose)
    in_image1 = np.abs(epipolar_lines(image0.rays, E) @ to_homogeneous(image1.rays).T)
    in_image0 = np.abs(to_homogeneous(image0.rays) @ epipolar_lines(image1.rays, E.T).T)
    px0, px1 = (image.camera.mean_focal_length() / image.scale for image in (image0, image1))
    return torch.from_numpy(np.nan_to_num(np.maximum(in_image0 * px0, in_image1 * px1), nan=0.0))
