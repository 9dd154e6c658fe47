"""Which 3-D points of a model a new photograph sees, by matching it to registered photographs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from tiepoint.collection.collection import Collection
from tiepoint.collection.pairs.retrieval import most_similar_to
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints, upright_points
from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.types import Features

MIN_PAIR_INLIERS, MIN_PAIR_INLIER_RATIO, MAX_PAIR_ERROR_PX = 15, 0.25, 4.0
"""What the geometry of a pair must explain, in matches and as a share of them, and how closely, for its matches to count:
COLMAP's own limits. Photographs of different places have matches too, of which a dozen agree by chance."""

PAIRS_AT_A_TIME = 16
"""Photographs whose features are in memory together."""

MAX_KEYPOINT_SHIFT_PX = 0.01
"""How far a keypoint of a model may be from the collection's: what a model loses that went through text files."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correspondences2D3D:
    """Keypoints of a photograph that match 3-D points; each pair of a keypoint and a point once.

    The matches are those that agree with the geometry of the photograph and a registered one.

    Attributes:
        keypoints: (k,) indices into the photograph's keypoints.
        points: (k,) numbers of 3-D points of the model.
        matched: registered photograph -> how many of its points match; the most first.
    """

    keypoints: Int[np.ndarray, "k"]
    points: Int[np.ndarray, "k"]
    matched: dict[str, int]

    def __len__(self) -> int:
        return len(self.keypoints)


def match_to_model(
    query: Features, collection: Collection, model: Any, matcher: Matcher, photographs: int | None
) -> Correspondences2D3D:
    """Match a photograph to registered ones, and keep verified matches whose other end is a 3-D point.

    Args:
        query: features of the photograph, of the collection's kind.
        collection: where the features of the others are.
        model: `pycolmap.Reconstruction` of the collection.
        matcher: that of the collection.
        photographs: how many to match with, those that look most alike; None: all.

    Raises:
        InvalidInput: the model was made of other features than the collection has now.
        MissingDependency: faiss isn't installed, and the model has more than `photographs`.
    """
    images = {image.name: image for image in map(model.image, model.reg_image_ids())}
    names = _chosen(query, collection, list(images), photographs)
    found, matched = [np.empty((0, 2), np.int64)], {}
    for name, result in _results(query, collection, names, matcher):
        points, matches = point3D_ids(images[name], result.features1), result.matches[pair_inliers(result)]
        seen = np.column_stack([matches[:, 0], points[matches[:, 1]]])
        found.append(seen[seen[:, 1] >= 0])
        matched[name] = len(found[-1])
    keypoints, points = np.unique(np.concatenate(found), axis=0).T
    ordered = sorted((name for name in matched if matched[name]), key=lambda name: -matched[name])
    return Correspondences2D3D(
        keypoints=keypoints, points=points, matched={name: matched[name] for name in ordered}
    )


def pair_inliers(pair: MatchResult) -> Bool[np.ndarray, "k"]:
    """Which matches of a pair agree with its geometry; none where so few do that this may be chance.

    Where all that agrees lies on a plane, or the camera only turned, the geometry is a homography.
    """
    inliers = estimate_fundamental(pair, max_error_px=MAX_PAIR_ERROR_PX).inliers
    if not inliers.any():
        inliers = estimate_homography(pair, max_error_px=MAX_PAIR_ERROR_PX).inliers
    enough = inliers.sum() >= max(MIN_PAIR_INLIERS, MIN_PAIR_INLIER_RATIO * len(inliers))
    return inliers if enough else np.zeros_like(inliers)


def check_keypoints(image: Any, features: Features) -> None:
    """Find out whether a registered image has the keypoints that the collection has now, in the same order.

    Raises:
        InvalidInput: it has others.
    """
    theirs, ours = model_keypoints(image), colmap_keypoints(features)
    if len(theirs) != len(ours):
        difference = f"{len(theirs)} keypoints of {image.name!r}, the collection {len(ours)}"
    elif moved := int((np.abs(theirs - ours) > MAX_KEYPOINT_SHIFT_PX).any(axis=1).sum()):
        difference = f"{moved} of {len(ours)} keypoints of {image.name!r} elsewhere than the collection"
    else:
        return
    raise InvalidInput(f"the model has {difference}: it was made of other features; reconstruct again")


def model_keypoints(image: Any) -> Float64[np.ndarray, "n 2"]:
    """Keypoints of a registered image in COLMAP's convention, as `colmap_keypoints` gives them."""
    return np.array([point.xy for point in image.points2D], np.float64).reshape(-1, 2)


def point3D_ids(image: Any, features: Features) -> Int[np.ndarray, "n"]:
    """The number of the 3-D point that each keypoint of a registered image sees; -1: none.

    Raises:
        InvalidInput: the image of the model has other keypoints.
    """
    check_keypoints(image, features)
    numbers = np.full(len(features), -1, np.int64)
    for place in image.get_observation_point2D_idxs():
        numbers[place] = image.points2D[place].point3D_id
    return numbers


def observed_points(image: Any, features: Features, points: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k 2"]:
    """Where a registered image sees these 3-D points: (x, y) px of the upright image; NaN where it doesn't."""
    numbers = point3D_ids(image, features).tolist()
    places = {number: place for place, number in enumerate(numbers) if number >= 0}
    xy = [image.points2D[places[p]].xy if p in places else (np.nan, np.nan) for p in points.tolist()]
    return upright_points(np.array(xy, np.float64).reshape(-1, 2), features)


def _chosen(query: Features, collection: Collection, names: list[str], count: int | None) -> list[str]:
    """The registered photographs that look most like this one."""
    if count is None or count >= len(names):
        return names

    def descriptors_of(index: int) -> np.ndarray:
        features = query if index == len(names) else collection.features(names[index])
        return features.descriptors.float().cpu().numpy()

    nearest = most_similar_to(len(names), descriptors_of, len(names) + 1, count)
    return [names[index] for index in nearest.tolist()]


def _results(
    query: Features, collection: Collection, names: list[str], matcher: Matcher
) -> Iterator[tuple[str, MatchResult]]:
    """Names, and what matching the query with them gives, so many at a time that memory doesn't grow."""
    rest = iter(names)
    while batch := list(islice(rest, PAIRS_AT_A_TIME)):
        pairs = [(query, collection.features(name)) for name in batch]
        yield from zip(batch, matcher.match_features(pairs), strict=True)
