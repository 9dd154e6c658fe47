"""Pairs of images of a finished reconstruction, with ground truth from points in space and epipolar lines."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import upright_points
from tiepoint.geometry.multiview import epipolar_lines, essential_from_pose, relative_pose, to_homogeneous
from tiepoint.training.data.colmap_images import CachedModel, PosedImage
from tiepoint.training.data.ground_truth import EPIPOLAR_PX, Truth, matches_from_projections, nothing_matches
from tiepoint.training.data.pairs import PairSample, PairSource, describe_features, digest, shuffled


class TrackPairs(PairSource):
    """Pairs of images of a model that see the same points, each once before any comes again, in either order.

    In the place of some of them come negatives: pairs of images that share no point of the model, where nothing
    matches. A model all of whose images share points gives none.

    Args:
        model: see `cache_model`.
        seed: decides which pairs there are, and in which order.
        negatives: share of pairs that share no point, in [0, 1].
        cached: images whose features are kept in memory.

    Raises:
        InvalidInput: a share outside [0, 1].
    """

    def __init__(
        self, model: CachedModel, *, seed: int = 0, negatives: float = 0.05, cached: int = 64
    ) -> None:
        if not 0 <= negatives <= 1:
            raise InvalidInput(f"negatives must be a share in [0, 1], but is {negatives!r}")
        self.model, self.seed = model, seed
        others = len(model.neighbors) - 1
        self._with_strangers = [key for key, near in model.neighbors.items() if len(near) < others]
        self.negatives = negatives if self._with_strangers else 0.0
        self._read = lru_cache(maxsize=cached)(model.read)
        self._order = lru_cache(maxsize=2)(lambda round_: shuffled(seed, round_, len(model.pairs)))
        first = self._read(model.pairs[0][0])
        self.kind, self.descriptor_dim, self.position_dim = describe_features(first.features)
        names = [name for pair in model.pairs for name in pair]
        settings = map(repr, [seed, self.negatives])
        self.fingerprint = digest([model.store.fingerprint, *names, *model.neighbors, *settings])

    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""
        generator = np.random.default_rng([self.seed, index])
        if generator.random() < self.negatives:
            return self._negative(generator)
        round_, place = divmod(index, len(self.model.pairs))
        pair = self.model.pairs[int(self._order(round_)[place])]
        turned = generator.random() < 0.5
        image0, image1 = (self._read(key) for key in (pair[::-1] if turned else pair))
        truth = matches_of_posed(image0, image1)
        return PairSample(features0=image0.features, features1=image1.features, **truth._asdict())

    def _negative(self, generator: np.random.Generator) -> PairSample:
        key = self._with_strangers[generator.integers(len(self._with_strangers))]
        strangers = self.model.strangers(key)
        other = strangers[generator.integers(len(strangers))]
        features0, features1 = (self._read(key).features for key in (key, other))
        truth = nothing_matches(len(features0), len(features1))
        return PairSample(features0=features0, features1=features1, **truth._asdict())


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
