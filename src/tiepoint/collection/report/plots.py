"""Interactive plots of a collection: its model in 3-D, and the graph of its matches."""

import html
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tiepoint.collection.report.statistics import Edge
from tiepoint.errors import MissingDependency

MAX_POINTS = 50_000
"""Of the model, spread over it; more make browsers slow."""

FRUSTUM = 0.03
"""Depth of a drawn camera, as a share of the scene's extent."""

WIDTHS = (0.5, 4.0)
"""Px of the weakest and strongest edges of the match graph."""

EDGE_CLASSES = 4
"""Of edges by their number of verified matches: each class is one line of the plot."""

INK, CAMERA, EDGE = "#222", "#c0392b", "52, 120, 180"

HIDDEN = {"visible": False}
MARGINS = {"l": 0, "r": 0, "t": 0, "b": 0}


def scene_figure(model: Any) -> Any:
    """Points in their colors and cameras as pyramids, seen as the cameras saw them: y down, z away."""
    go = require_plotly()
    figure = go.Figure([_points(model), *_cameras(model)])
    axes = dict.fromkeys(("xaxis", "yaxis", "zaxis"), HIDDEN)
    camera = {"up": {"x": 0, "y": -1, "z": 0}, "eye": {"x": 0.3, "y": -0.4, "z": -1.6}}
    figure.update_layout(
        scene={**axes, "aspectmode": "data", "camera": camera}, height=650, margin=MARGINS, showlegend=False
    )
    return figure


def graph_figure(names: Sequence[str], edges: Sequence[Edge]) -> Any:
    """Photographs on a circle in their order; a line a pair, the broader the more verified matches."""
    go = require_plotly()
    angles = 2 * np.pi * np.arange(len(names)) / max(1, len(names))
    places = dict(zip(names, np.column_stack([np.sin(angles), np.cos(angles)]), strict=True))
    figure = go.Figure([*_edges(places, edges), _nodes(places, edges)])
    figure.update_layout(
        xaxis=HIDDEN,
        yaxis={**HIDDEN, "scaleanchor": "x"},
        height=650,
        margin=MARGINS,
        showlegend=False,
        plot_bgcolor="white",
    )
    return figure


def _points(model: Any) -> Any:
    points = list(model.points3D.values())
    points = points[:: max(1, math.ceil(len(points) / MAX_POINTS))]
    xyz = np.array([point.xyz for point in points]).reshape(-1, 3)
    colors = [f"rgb({red},{green},{blue})" for red, green, blue in (point.color for point in points)]
    marker = {"size": 2, "color": colors}
    return require_plotly().Scatter3d(
        x=xyz[:, 0], y=xyz[:, 1], z=xyz[:, 2], mode="markers", marker=marker, hoverinfo="skip"
    )


def _cameras(model: Any) -> list[Any]:
    """All pyramids as one line with gaps, and a name at each tip."""
    go = require_plotly()
    images = [model.image(number) for number in model.reg_image_ids()]
    depth = FRUSTUM * scene_extent(model)
    lines = np.concatenate([frustum_line(image, depth) for image in images])
    centers = np.array([image.projection_center() for image in images])
    drawn = go.Scatter3d(
        x=lines[:, 0], y=lines[:, 1], z=lines[:, 2], mode="lines", line={"color": CAMERA, "width": 2}
    )
    drawn.hoverinfo = "skip"
    named = go.Scatter3d(
        x=centers[:, 0],
        y=centers[:, 1],
        z=centers[:, 2],
        mode="markers",
        marker={"size": 2, "color": CAMERA},
        text=[html.escape(image.name) for image in images],
        hoverinfo="text",
    )
    return [drawn, named]


def frustum_line(image: Any, depth: float) -> np.ndarray:
    """(n, 3) corners of a camera's pyramid in the order of one stroke, and a row of NaN that ends it."""
    camera = image.camera
    corners_px = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [camera.width, camera.height]
    rays = np.column_stack([camera.cam_from_img(corners_px.astype(np.float64)), np.ones(4)])
    world_from_cam = image.cam_from_world().inverse()
    tip, corners = image.projection_center(), np.array([world_from_cam * ray for ray in rays * depth])
    stroke = [tip, *corners[[0, 1]], tip, *corners[[2, 3]], tip, *corners[[3, 0]], *corners[[1, 2]]]
    return np.array([*stroke, [np.nan] * 3])


def scene_extent(model: Any) -> float:
    """Diagonal of the box around the cameras and the middle nine tenths of the points."""
    xyz = np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3)
    centers = np.array([model.image(number).projection_center() for number in model.reg_image_ids()])
    inner = np.quantile(xyz, [0.05, 0.95], axis=0) if len(xyz) else centers
    corners = np.concatenate([inner, centers])
    return float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))


def _edges(places: dict[str, np.ndarray], edges: Sequence[Edge]) -> list[Any]:
    """One line with gaps for each class of strength, the weakest first."""
    if not edges:
        return []
    strengths = np.sqrt([edge.verified for edge in edges]) / math.sqrt(edges[0].verified)
    classes = np.ceil(strengths * EDGE_CLASSES).astype(int)
    return [
        _edge_line(
            [edge for edge, found in zip(edges, classes, strict=True) if found == number], places, number
        )
        for number in range(1, EDGE_CLASSES + 1)
    ]


def _edge_line(edges: Sequence[Edge], places: dict[str, np.ndarray], number: int) -> Any:
    gap = [np.nan, np.nan]
    xy = np.array([point for edge in edges for point in (places[edge.name0], places[edge.name1], gap)])
    xy = xy.reshape(-1, 2)
    share = number / EDGE_CLASSES
    line = {
        "width": WIDTHS[0] + share * (WIDTHS[1] - WIDTHS[0]),
        "color": f"rgba({EDGE}, {0.2 + 0.6 * share})",
    }
    return require_plotly().Scatter(x=xy[:, 0], y=xy[:, 1], mode="lines", line=line, hoverinfo="skip")


def _nodes(places: dict[str, np.ndarray], edges: Sequence[Edge]) -> Any:
    xy = np.array(list(places.values())).reshape(-1, 2)
    partners = dict.fromkeys(places, 0)
    for edge in edges:
        partners[edge.name0] += 1
        partners[edge.name1] += 1
    text = [f"{html.escape(name)}: {count} partners" for name, count in partners.items()]
    return require_plotly().Scatter(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="markers",
        marker={"size": 9, "color": CAMERA},
        text=text,
        hoverinfo="text",
    )


def require_plotly() -> ModuleType:
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingDependency(
            "pages with 3-D views need plotly, which isn't installed; run: python -m pip install 'tiepoint[collection]'"
        ) from error
    return go
