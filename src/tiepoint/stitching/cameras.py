"""Cameras of a panorama: rotations about one center, or homographies of a plane, whichever explains the matches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.stitching.homographies import estimate_homographies
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.match_graph import MatchGraph
from tiepoint.stitching.orientation import choose_projection, field_of_view_deg, level, on_surface
from tiepoint.stitching.pair_matches import PairMatch
from tiepoint.stitching.rotations import estimate_rotations
from tiepoint.stitching.settings import StitchSettings
from tiepoint.stitching.views import View, bounds

MIN_HOMOGRAPHY_ADVANTAGE = 1.1  # ratio of supports from which on homographies are preferred to rotations
MAX_PLANE_FIELD_OF_VIEW_DEG = 150.0
SUPPORT_FACTOR = 2.0  # errors up to this many inlier thresholds support the cameras
CONSISTENT_FACTOR = (
    5.0  # a pair whose median error exceeds this many inlier thresholds contradicts the others
)
MAX_ROUNDS = 4  # of leaving out images whose matches contradict the others

CONTRADICTION = "its matches contradict those of the other images"
"""Reason why an image is left out after the adjustment."""

PAIR_CONTRADICTION = "its matches contradict those of the other pairs"
"""Reason why a pair is dropped in the adjustment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cameras:
    """Views of the images of a panorama.

    Attributes:
        model: "rotation" or "homography".
        projection: "plane", "cylinder" or "sphere".
        inputs: Images, without those whose matches contradict the others.
        views: View of each image.
        edges: Pairs of these images that agree with the views.
        dropped_edges: Other pairs of the connected component, with a reason.
        residuals_px: Transfer errors of all inliers of these pairs, in px.
        support: Number of inliers that the views explain.
        field_of_view_deg: Horizontal and vertical field of view, for rotations.
    """

    model: Literal["rotation", "homography"]
    projection: str
    inputs: list[StitchInput]
    views: list[View]
    edges: list[PairMatch]
    dropped_edges: list[PairMatch]
    residuals_px: np.ndarray
    support: int
    field_of_view_deg: tuple[float, float] | None = None

    @property
    def rms_px(self) -> float:
        """Root mean square of the residuals."""
        return float(np.sqrt(np.mean(self.residuals_px**2)))

    @property
    def median_px(self) -> float:
        """Median of the residuals."""
        return float(np.median(self.residuals_px))


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Images, their views, and the pairs that agree with them."""

    inputs: list[StitchInput]
    views: list[Any]
    edges: list[PairMatch]


Estimator = Callable[[Sequence[StitchInput], Sequence[PairMatch]], Sequence[View]]


def estimate_cameras(
    inputs: Sequence[StitchInput], edges: Sequence[PairMatch], settings: StitchSettings
) -> Cameras:
    """Estimate the cameras of a connected component, and choose model and projection.

    Args:
        inputs: Images of the component.
        edges: Pairs of these images that overlap.
        settings: Model and projection.

    Raises:
        InvalidInput: If no model explains the matches, an image crosses the horizon of the plane, or the field of view
            exceeds that of a plane.
        MissingDependency: If OpenCV is not installed.
    """
    found: list[Cameras] = []
    problems: list[str] = []
    is_curved = settings.projection in ("cylinder", "sphere")
    for model, estimate in (("rotation", _rotations), ("homography", _homographies)):
        if settings.model in ("auto", model) and not (model == "homography" and is_curved):
            try:
                found.append(estimate(inputs, edges, settings))
            except InvalidInput as error:
                problems.append(str(error))
    if not found:
        raise InvalidInput("cannot estimate the cameras: " + "; ".join(problems))
    if len(found) == 2 and found[1].support > MIN_HOMOGRAPHY_ADVANTAGE * found[0].support:
        return found[1]
    return found[0]


def _rotations(
    inputs: Sequence[StitchInput], edges: Sequence[PairMatch], settings: StitchSettings
) -> Cameras:
    placed = _place(inputs, edges, estimate_rotations)
    views = level(placed.views)
    field_of_view = field_of_view_deg(views)
    projection = choose_projection(views) if settings.projection == "auto" else settings.projection
    if projection == "plane" and max(field_of_view) > MAX_PLANE_FIELD_OF_VIEW_DEG:
        raise InvalidInput(
            f"projection='plane': the field of view of {field_of_view[0]:.0f} x {field_of_view[1]:.0f} degrees exceeds the "
            f"{MAX_PLANE_FIELD_OF_VIEW_DEG:.0f} degrees that a plane shows; use projection='cylinder' or 'sphere'"
        )
    residuals, support = _residuals(placed)
    return Cameras(
        model="rotation",
        projection=projection,
        inputs=placed.inputs,
        views=list(on_surface(views, projection)),
        edges=placed.edges,
        dropped_edges=_dropped(edges, placed.edges),
        residuals_px=residuals,
        support=support,
        field_of_view_deg=field_of_view,
    )


def _homographies(
    inputs: Sequence[StitchInput], edges: Sequence[PairMatch], settings: StitchSettings
) -> Cameras:
    placed = _place(inputs, edges, estimate_homographies)
    for view, each in zip(placed.views, placed.inputs, strict=True):
        if bounds(view) is None or np.linalg.det(view.surface_from_image) <= 0:
            raise InvalidInput(
                f"the homography folds {each.name} over the horizon (a part of it is mapped to infinity); leave the image "
                "out, or use model='rotation'"
            )
    residuals, support = _residuals(placed)
    return Cameras(
        model="homography",
        projection="plane",
        inputs=placed.inputs,
        views=placed.views,
        edges=placed.edges,
        dropped_edges=_dropped(edges, placed.edges),
        residuals_px=residuals,
        support=support,
    )


def _place(inputs: Sequence[StitchInput], edges: Sequence[PairMatch], estimate: Estimator) -> _Placed:
    """Estimate views, and leave out pairs that contradict them, and images without other pairs."""
    own, used = list(inputs), list(edges)
    for _ in range(MAX_ROUNDS):
        views = estimate(own, used)
        position = {each.index: number for number, each in enumerate(own)}
        agreeing = [
            edge
            for edge in used
            if np.median(_errors(edge, views, position)) <= CONSISTENT_FACTOR * edge.estimate.max_error_px
        ]
        graph = MatchGraph(
            inputs={each.index: each for each in own}, pairs={edge.indices: edge for edge in agreeing}
        )
        kept = graph.components()[0]
        if len(kept) < 2:
            raise InvalidInput("the matches contradict each other: the camera moved, or the scene has depth")
        if len(kept) == len(own):
            return _Placed(own, list(views), agreeing)
        own, used = [each for each in own if each.index in kept], graph.edges(kept)
    raise InvalidInput("the matches of many images contradict each other; leave some out")


def _dropped(edges: Sequence[PairMatch], kept: Sequence[PairMatch]) -> list[PairMatch]:
    indices = {edge.indices for edge in kept}
    return [replace(edge, reason=PAIR_CONTRADICTION) for edge in edges if edge.indices not in indices]


def _residuals(placed: _Placed) -> tuple[np.ndarray, int]:
    """Transfer errors of all inliers in px, and the number of those that the views explain."""
    position = {each.index: number for number, each in enumerate(placed.inputs)}
    errors = [_errors(edge, placed.views, position) for edge in placed.edges]
    support = sum(
        int((own <= SUPPORT_FACTOR * edge.estimate.max_error_px).sum())
        for edge, own in zip(placed.edges, errors, strict=True)
    )
    return np.concatenate(errors), support


def _errors(edge: PairMatch, views: Sequence[View], position: dict[int, int]) -> np.ndarray:
    """Transfer errors of the inliers of a pair in px; the image diagonal where a point is behind a camera."""
    points0, points1 = edge.inliers
    view0, view1 = views[position[edge.index0]], views[position[edge.index1]]
    mapped = view1.to_image(view0.to_surface(points0))
    worst = float(np.hypot(*view1.image_size))
    return np.minimum(np.nan_to_num(np.linalg.norm(mapped - points1, axis=1), nan=worst), worst)
