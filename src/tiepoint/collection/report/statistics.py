"""What a collection's photographs and pairs come to: the numbers behind the page of `tiepoint collection view`."""

import heapq
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.targets import inlier_matches

MAX_EDGES = 3000
"""Of the match graph, those with the most verified matches."""


@dataclass(slots=True, kw_only=True)
class PhotographStatistics:
    """One photograph, and what its pairs and the model say of it.

    Attributes:
        name: of the photograph.
        image_size: (width, height) px, upright.
        keypoints: found in it.
        pairs: matched ones that it is in.
        matches: of all its pairs.
        verified: those of them that fit the geometry of their pair.
        registered: whether the model has its pose.
        points: 3-D points that it sees.
        mean_reprojection_error_px: of those; NaN where it sees none.
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


class Edge(NamedTuple):
    """A pair in the match graph; the order of edges is that of their verified matches."""

    verified: int
    name0: str
    name1: str


def count_photographs(
    collection: Collection, model: Any | None
) -> tuple[dict[str, PhotographStatistics], list[Edge]]:
    """Count keypoints, matches and points of every photograph, in one pass over the pairs.

    Args:
        collection: from `open_collection`.
        model: `pycolmap.Reconstruction`, where there is one.

    Returns:
        Statistics by name, in natural order; and the strongest edges of the match graph, the strongest first.
    """
    found = {photograph.name: _counted(collection, photograph.name) for photograph in collection.photographs}
    strongest: list[Edge] = []
    for name0, name1 in collection.pairs():
        matches, verified = (
            len(collection.matches(name0, name1)[0]),
            len(inlier_matches(collection, name0, name1)),
        )
        for name in (name0, name1):
            found[name].pairs += 1
            found[name].matches += matches
            found[name].verified += verified
        if verified:
            keep = heapq.heappush if len(strongest) < MAX_EDGES else heapq.heappushpop
            keep(strongest, Edge(verified, name0, name1))
    if model is not None:
        _add_model(found, model)
    return found, sorted(strongest, reverse=True)


def _counted(collection: Collection, name: str) -> PhotographStatistics:
    features = collection.features(name)
    return PhotographStatistics(name=name, image_size=features.image_size, keypoints=len(features))


def _add_model(found: dict[str, PhotographStatistics], model: Any) -> None:
    for image in map(model.image, model.reg_image_ids()):
        if image.name not in found:
            continue  # a photograph that has gone since
        errors = [
            model.point3D(image.points2D[place].point3D_id).error
            for place in image.get_observation_point2D_idxs()
        ]
        row = found[image.name]
        row.registered, row.points = True, len(errors)
        row.mean_reprojection_error_px = float(np.mean(errors)) if errors else float("nan")
