"""Statistics of the images and pairs of a collection, for the page of `tiepoint collection view`."""

import heapq
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.output_paths import inlier_matches

MAX_EDGES = 3000
"""Maximum number of edges of the match graph; those with the most inliers are kept."""


class BestPair(NamedTuple):
    """The pair of an image with the most inliers; pairs are ordered by inliers, then by matches."""

    inliers: int = -1
    matches: int = -1
    name0: str = ""
    name1: str = ""


@dataclass(slots=True, kw_only=True)
class ImageStatistics:
    """Statistics of one image.

    Attributes:
        name: Name of the image.
        image_size: Size (width, height) of the upright image in px.
        keypoints: Number of keypoints.
        pairs: Number of matched pairs with this image.
        matches: Number of matches in these pairs.
        verified: Number of inlier matches in these pairs.
        registered: Whether the model contains the image.
        points: Number of observed 3D points.
        mean_reprojection_error_px: Mean reprojection error of these points in px; NaN if there are none.
        best_pair: Pair with the most inliers; None without matched pairs.
    """

    name: str
    image_size: tuple[int, int]
    keypoints: int
    pairs: int = 0
    matches: int = 0
    verified: int = 0
    registered: bool = False
    points: int = 0
    mean_reprojection_error_px: float = float("nan")
    best_pair: BestPair | None = None

    def cells(self) -> list[str]:
        """Return the formatted values of one table row."""
        error_px = self.mean_reprojection_error_px
        return [
            self.name,
            f"{self.image_size[0]} × {self.image_size[1]}",
            *(f"{count:,}" for count in (self.keypoints, self.pairs, self.matches, self.verified)),
            f"{self.points:,}" if self.registered else "no pose",
            "–" if math.isnan(error_px) else f"{error_px:.2f}",
        ]


class Edge(NamedTuple):
    """A pair in the match graph; edges are ordered by their number of inliers."""

    verified: int
    name0: str
    name1: str


def compute_statistics(
    collection: Collection, model: Any | None
) -> tuple[dict[str, ImageStatistics], list[Edge]]:
    """Count keypoints, matches and 3D points of each image in one pass over the pairs.

    Args:
        collection: Collection from `open_collection`.
        model: `pycolmap.Reconstruction` of the collection, if there is one.

    Returns:
        Statistics by image name in natural sort order, and the edges with the most inliers, in decreasing order.
    """
    statistics = {image.name: _without_pairs(collection, image.name) for image in collection.images}
    strongest: list[Edge] = []
    for name0, name1 in collection.pairs():
        num_matches = len(collection.matches(name0, name1)[0])
        num_inliers = len(inlier_matches(collection, name0, name1))
        for name in (name0, name1):
            statistics[name].pairs += 1
            statistics[name].matches += num_matches
            statistics[name].verified += num_inliers
            pair = BestPair(num_inliers, num_matches, name0, name1)
            statistics[name].best_pair = max(statistics[name].best_pair or BestPair(), pair)
        if num_inliers:
            keep = heapq.heappush if len(strongest) < MAX_EDGES else heapq.heappushpop
            keep(strongest, Edge(num_inliers, name0, name1))
    if model is not None:
        _add_model(statistics, model)
    return statistics, sorted(strongest, reverse=True)


def _without_pairs(collection: Collection, name: str) -> ImageStatistics:
    features = collection.features(name)
    return ImageStatistics(name=name, image_size=features.image_size, keypoints=len(features))


def _add_model(statistics: dict[str, ImageStatistics], model: Any) -> None:
    for image in map(model.image, model.reg_image_ids()):
        if image.name not in statistics:
            continue  # the image was removed after the reconstruction
        errors = [
            model.point3D(image.points2D[index].point3D_id).error
            for index in image.get_observation_point2D_idxs()
        ]
        row = statistics[image.name]
        row.registered, row.points = True, len(errors)
        row.mean_reprojection_error_px = float(np.mean(errors)) if errors else float("nan")
