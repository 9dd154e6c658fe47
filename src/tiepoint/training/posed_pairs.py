"""Pairs of images of a finished reconstruction, with ground truth from points in space and epipolar lines."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.collection.colmap import upright_points
from tiepoint.geometry.transforms import epipolar_lines, essential_from_pose, relative_pose, to_homogeneous
from tiepoint.training.ground_truth import EPIPOLAR_PX, Truth, matches_from_projections
from tiepoint.training.posed_images import CachedModel, PosedImage
from tiepoint.training.samples import PairSample, PairSource, describe_features, digest, shuffled


class TrackPairs(PairSource):
    """Pairs of images of a model that see the same points, each once before any comes again, in either order.

    Args:
        model: see `cache_model`.
        seed: decides the order.
        cached: images whose features are kept in memory.
    """

    def __init__(self, model: CachedModel, *, seed: int = 0, cached: int = 64) -> None:
        self.model, self.seed = model, seed
        self._read = lru_cache(maxsize=cached)(model.read)
        self._order = lru_cache(maxsize=2)(lambda round_: shuffled(seed, round_, len(model.pairs)))
        first = self._read(model.pairs[0][0])
        self.kind, self.descriptor_dim, self.position_dim = describe_features(first.features)
        names = [name for pair in model.pairs for name in pair]
        self.fingerprint = digest([model.store.fingerprint, *names, repr(seed)])

    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""
        round_, place = divmod(index, len(self.model.pairs))
        pair = self.model.pairs[int(self._order(round_)[place])]
        turned = np.random.default_rng([self.seed, index]).random() < 0.5
        image0, image1 = (self._read(key) for key in (pair[::-1] if turned else pair))
        truth = matches_of_posed(image0, image1)
        return PairSample(features0=image0.features, features1=image1.features, **truth._asdict())


def matches_of_posed(image0: PosedImage, image1: PosedImage) -> Truth:
    """The truth of two images of a model; thresholds count in px of the images that the extractor saw."""
    return matches_from_projections(
        image0.features.keypoints / image0.scale,
        image1.features.keypoints / image1.scale,
        _project(image0.points, image1) / image1.scale,
        _project(image1.points, image0) / image0.scale,
        possible=_epipolar_distances_px(image0, image1) <= EPIPOLAR_PX,
    )


def _project(points: Float[np.ndarray, "n 3"], image: PosedImage) -> Float[Tensor, "n 2"]:
    """Where an image shows points in space, in px of the upright photograph.

    Points behind the camera, and those that its lens doesn't reach, are infinitely far away: no keypoint shows them.
    """
    R, t = image.cam_from_world[:, :3], image.cam_from_world[:, 3]
    in_camera = points @ R.T + t
    known = ~np.isnan(points).any(1)
    places = np.full((len(points), 2), np.nan)
    places[known] = upright_points(image.camera.img_from_cam(in_camera[known]), image.features)
    unseen = known & (np.isnan(places).any(1) | (in_camera[:, 2] <= 0))
    places[unseen] = np.inf
    return torch.from_numpy(places)


def _epipolar_distances_px(image0: PosedImage, image1: PosedImage) -> Float[Tensor, "m n"]:
    """The larger one of the distances in the two images, of every two keypoints; 0 where a line isn't defined."""
    pose = relative_pose(image0.cam_from_world, image1.cam_from_world)
    E = essential_from_pose(pose)
    in_image1 = np.abs(epipolar_lines(image0.rays, E) @ to_homogeneous(image1.rays).T)
    in_image0 = np.abs(to_homogeneous(image0.rays) @ epipolar_lines(image1.rays, E.T).T)
    px0, px1 = (image.camera.mean_focal_length() / image.scale for image in (image0, image1))
    return torch.from_numpy(np.nan_to_num(np.maximum(in_image0 * px0, in_image1 * px1), nan=0.0))
