"""2D-3D correspondences of a query image, from its matches with the registered images of a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from tiepoint.collection.collection import Collection
from tiepoint.collection.pairs.retrieval import most_similar_to
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints, upright_points
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.io.batching import batched
from tiepoint.io.progress import Progress, to_callback, track
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.types import Features

MIN_PAIR_INLIERS, MIN_PAIR_INLIER_RATIO, MAX_PAIR_ERROR_PX = 15, 0.25, 4.0
"""Minimum number and ratio of inliers of a verified pair, and the inlier threshold in px: COLMAP's defaults. Pairs of
different scenes have matches too, and about a dozen random inliers."""

PAIRS_PER_BATCH = 16
"""Registered images whose features are in memory together."""

MAX_KEYPOINT_SHIFT_PX = 0.01
"""Maximum difference in px between keypoints of the model and the collection; models lose precision in text files."""

MAX_REFINEMENT_PX = 4.0 + MAX_KEYPOINT_SHIFT_PX
"""The same for keypoints that observe a 3D point, which `refine_keypoints` moves; see `MAX_MOVE_PX` there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correspondences2D3D:
    """2D-3D correspondences of a query image, each combination of keypoint and 3D point once.

    They come from the inlier matches of the query image with registered images.

    Attributes:
        keypoints: Indices of keypoints of the query image, shape (k,).
        point3D_ids: Ids of the 3D points in the model, shape (k,).
        num_matches: Number of correspondences per registered image, in decreasing order.
    """

    keypoints: Int[np.ndarray, "k"]
    point3D_ids: Int[np.ndarray, "k"]  # noqa: N815 (COLMAP's name)
    num_matches: dict[str, int]

    def __len__(self) -> int:
        return len(self.keypoints)


def match_to_model(
    query: Features,
    collection: Collection,
    model: Any,
    matcher: Matcher,
    num_images: int | None,
    progress: Progress = False,
) -> Correspondences2D3D:
    """Match the query image with registered images; keep inlier matches with keypoints that observe a 3D point.

    Args:
        query: Features of the query image.
        collection: Reconstructed collection.
        model: `pycolmap.Reconstruction` of the collection.
        matcher: Matcher with the settings of the collection.
        num_images: Number of most similar registered images to match with; None for all.
        progress: Whether to show a bar on stderr, or a callback that shows the progress.

    Raises:
        InvalidInput: If the model was made from other features than those of the collection.
        MissingDependency: If faiss is not installed, and the model has more than `num_images` images.
    """
    images = {image.name: image for image in map(model.image, model.reg_image_ids())}
    names = _retrieve(query, collection, list(images), num_images)
    found, num_matches = [np.empty((0, 2), np.int64)], {}
    pairs = _match_pairs(query, collection, names, matcher)
    for name, pair in track(pairs, "matching", to_callback(progress), total=len(names)):
        ids, matches = point3D_ids(images[name], pair.features1), pair.matches[pair_inliers(pair)]
        observed = np.column_stack([matches[:, 0], ids[matches[:, 1]]])
        found.append(observed[observed[:, 1] >= 0])
        num_matches[name] = len(found[-1])
    keypoints, ids = np.unique(np.concatenate(found), axis=0).T
    order = sorted((name for name in num_matches if num_matches[name]), key=lambda name: -num_matches[name])
    return Correspondences2D3D(
        keypoints=keypoints, point3D_ids=ids, num_matches={name: num_matches[name] for name in order}
    )


def pair_inliers(pair: MatchResult) -> Bool[np.ndarray, "k"]:
    """Return the inlier mask of a pair; all False if there are so few inliers that they may be random.

    For a planar scene or pure rotation the model is a homography.

    Args:
        pair: Matches of the query image with a registered image.
    """
    inliers = estimate_two_view(pair, max_error_px=MAX_PAIR_ERROR_PX).inliers
    is_verified = inliers.sum() >= max(MIN_PAIR_INLIERS, MIN_PAIR_INLIER_RATIO * len(inliers))
    return inliers if is_verified else np.zeros_like(inliers)


def check_keypoints(image: Any, features: Features) -> None:
    """Check that a registered image has the keypoints of the collection, in the same order.

    Args:
        image: `pycolmap.Image` of the model.
        features: Features of this image in the collection.

    Raises:
        InvalidInput: If the keypoints differ.
    """
    in_model, in_collection = model_keypoints(image), colmap_keypoints(features)
    if len(in_model) != len(in_collection):
        difference = f"{len(in_model)} keypoints in the model, {len(in_collection)} in the collection"
    elif moved := _count_moved(image, in_model - in_collection):
        difference = f"{moved} of {len(in_collection)} keypoints at other positions in the model"
    else:
        return
    raise InvalidInput(
        f"the model does not fit the features of the collection: {image.name!r} has {difference}; reconstruct again"
    )


def _count_moved(image: Any, shifts: Float[np.ndarray, "n 2"]) -> int:
    """Return the number of keypoints that differ by more than rounding, or by more than a refinement moves them."""
    limits = np.full(len(shifts), MAX_KEYPOINT_SHIFT_PX)
    limits[image.get_observation_point2D_idxs()] = MAX_REFINEMENT_PX
    return int((np.abs(shifts).max(axis=1) > limits).sum()) if len(shifts) else 0


def model_keypoints(image: Any) -> Float64[np.ndarray, "n 2"]:
    """Return the keypoints of a registered image in COLMAP's convention, like `colmap_keypoints`.

    Args:
        image: `pycolmap.Image` of the model.
    """
    return np.array([point.xy for point in image.points2D], np.float64).reshape(-1, 2)


def point3D_ids(image: Any, features: Features) -> Int[np.ndarray, "n"]:  # noqa: N802 (COLMAP's name)
    """Return the id of the 3D point that each keypoint of a registered image observes; -1 for none.

    Args:
        image: `pycolmap.Image` of the model.
        features: Features of this image in the collection.

    Raises:
        InvalidInput: If the keypoints differ.
    """
    check_keypoints(image, features)
    ids = np.full(len(features), -1, np.int64)
    for index in image.get_observation_point2D_idxs():
        ids[index] = image.points2D[index].point3D_id
    return ids


def observed_points(image: Any, features: Features, ids: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k 2"]:
    """Return the observations of 3D points in a registered image.

    Args:
        image: `pycolmap.Image` of the model.
        features: Features of this image in the collection.
        ids: Ids of the 3D points.

    Returns:
        Points (x, y) in px of the upright image; NaN where the image does not observe the 3D point.
    """
    observed = point3D_ids(image, features).tolist()
    indices = {point3D_id: index for index, point3D_id in enumerate(observed) if point3D_id >= 0}
    xy = [image.points2D[indices[i]].xy if i in indices else (np.nan, np.nan) for i in ids.tolist()]
    return upright_points(np.array(xy, np.float64).reshape(-1, 2), features)


def _retrieve(query: Features, collection: Collection, names: list[str], count: int | None) -> list[str]:
    """Return the registered images that are most similar to the query image."""
    if count is None or count >= len(names):
        return names

    def read_descriptors(index: int) -> np.ndarray:
        features = query if index == len(names) else collection.features(names[index])
        return features.descriptors.float().cpu().numpy()

    nearest = most_similar_to(len(names), read_descriptors, len(names) + 1, count)
    return [names[index] for index in nearest.tolist()]


def _match_pairs(
    query: Features, collection: Collection, names: list[str], matcher: Matcher
) -> Iterator[tuple[str, MatchResult]]:
    """Match the query image with registered images, in batches of bounded memory."""
    for batch in batched(names, PAIRS_PER_BATCH):
        pairs = [(query, collection.features(name)) for name in batch]
        yield from zip(batch, matcher.match_features(pairs), strict=True)
