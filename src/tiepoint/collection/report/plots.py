"""Interactive plots of a collection: the model in 3D, and the match graph."""

import html
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tiepoint.collection.report.statistics import Edge
from tiepoint.io.optional import import_optional

MAX_POINTS = 50_000
"""Maximum number of 3D points, sampled evenly; more make browsers slow."""

FRUSTUM_DEPTH = 0.03
"""Depth of a camera frustum relative to the scene extent."""

EDGE_WIDTHS_PX = (0.5, 4.0)
"""Line width of the weakest and strongest edges of the match graph in px."""

EDGE_CLASSES = 4
"""Number of edge classes by number of inliers; each class is one trace of the plot."""

TEXT_COLOR, CAMERA_COLOR, EDGE_RGB = "#222", "#c0392b", "52, 120, 180"

HIDDEN = {"visible": False}
MARGINS = {"l": 0, "r": 0, "t": 0, "b": 0}


def scene_figure(model: Any) -> Any:
    """Plot points in their colors and camera frustums, viewed in COLMAP's axes: y down, z forward.

    Args:
        model: `pycolmap.Reconstruction`.
    """
    go = require_plotly()
    figure = go.Figure([_points(model), *_cameras(model)])
    axes = dict.fromkeys(("xaxis", "yaxis", "zaxis"), HIDDEN)
    camera = {"up": {"x": 0, "y": -1, "z": 0}, "eye": {"x": 0.3, "y": -0.4, "z": -1.6}}
    figure.update_layout(
        scene={**axes, "aspectmode": "data", "camera": camera}, height=650, margin=MARGINS, showlegend=False
    )
    return figure


def graph_figure(names: Sequence[str], edges: Sequence[Edge]) -> Any:
    """Plot the match graph: images on a circle in their order, one line per pair, wider for more inliers.

    Args:
        names: Image names.
        edges: Pairs by decreasing number of inliers.
    """
    go = require_plotly()
    angles = 2 * np.pi * np.arange(len(names)) / max(1, len(names))
    positions = dict(zip(names, np.column_stack([np.sin(angles), np.cos(angles)]), strict=True))
    figure = go.Figure([*_edges(positions, edges), _nodes(positions, edges)])
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
    """Return all frustums as one line with gaps, and a marker with the image name at each camera center."""
    go = require_plotly()
    images = [model.image(image_id) for image_id in model.reg_image_ids()]
    depth = FRUSTUM_DEPTH * scene_extent(model)
    lines = np.concatenate([frustum_line(image, depth) for image in images])
    centers = np.array([image.projection_center() for image in images])
    lines_trace = go.Scatter3d(
        x=lines[:, 0], y=lines[:, 1], z=lines[:, 2], mode="lines", line={"color": CAMERA_COLOR, "width": 2}
    )
    lines_trace.hoverinfo = "skip"
    centers_trace = go.Scatter3d(
        x=centers[:, 0],
        y=centers[:, 1],
        z=centers[:, 2],
        mode="markers",
        marker={"size": 2, "color": CAMERA_COLOR},
        text=[html.escape(image.name) for image in images],
        hoverinfo="text",
    )
    return [lines_trace, centers_trace]


def frustum_line(image: Any, depth: float) -> np.ndarray:
    """Return the corners of a camera frustum as one polyline, shape (n, 3), with a final row of NaN as separator.

    Args:
        image: Registered `pycolmap.Image`.
        depth: Depth of the frustum in the scale of the model.
    """
    camera = image.camera
    corners_px = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [camera.width, camera.height]
    rays = np.column_stack([camera.cam_from_img(corners_px.astype(np.float64)), np.ones(4)])
    world_from_cam = image.cam_from_world().inverse()
    tip, corners = image.projection_center(), np.array([world_from_cam * ray for ray in rays * depth])
    polyline = [tip, *corners[[0, 1]], tip, *corners[[2, 3]], tip, *corners[[3, 0]], *corners[[1, 2]]]
    return np.array([*polyline, [np.nan] * 3])


def scene_extent(model: Any) -> float:
    """Return the diagonal of the bounding box of all cameras and the central 90 % of the points.

    Args:
        model: `pycolmap.Reconstruction`.
    """
    xyz = np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3)
    centers = np.array([model.image(image_id).projection_center() for image_id in model.reg_image_ids()])
    inner = np.quantile(xyz, [0.05, 0.95], axis=0) if len(xyz) else centers
    corners = np.concatenate([inner, centers])
    return float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))


def _edges(positions: dict[str, np.ndarray], edges: Sequence[Edge]) -> list[Any]:
    """Return one trace per class of edges, the weakest first."""
    if not edges:
        return []
    strengths = np.sqrt([edge.verified for edge in edges]) / math.sqrt(edges[0].verified)
    classes = np.ceil(strengths * EDGE_CLASSES).astype(int)
    return [
        _edge_line(
            [edge for edge, found in zip(edges, classes, strict=True) if found == number], positions, number
        )
        for number in range(1, EDGE_CLASSES + 1)
    ]


def _edge_line(edges: Sequence[Edge], positions: dict[str, np.ndarray], number: int) -> Any:
    gap = [np.nan, np.nan]
    xy = np.array([point for edge in edges for point in (positions[edge.name0], positions[edge.name1], gap)])
    xy = xy.reshape(-1, 2)
    fraction = number / EDGE_CLASSES
    line = {
        "width": EDGE_WIDTHS_PX[0] + fraction * (EDGE_WIDTHS_PX[1] - EDGE_WIDTHS_PX[0]),
        "color": f"rgba({EDGE_RGB}, {0.2 + 0.6 * fraction})",
    }
    return require_plotly().Scatter(x=xy[:, 0], y=xy[:, 1], mode="lines", line=line, hoverinfo="skip")


def _nodes(positions: dict[str, np.ndarray], edges: Sequence[Edge]) -> Any:
    xy = np.array(list(positions.values())).reshape(-1, 2)
    partners = dict.fromkeys(positions, 0)
    for edge in edges:
        partners[edge.name0] += 1
        partners[edge.name1] += 1
    text = [f"{html.escape(name)}: {count} partners" for name, count in partners.items()]
    return require_plotly().Scatter(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="markers",
        marker={"size": 9, "color": CAMERA_COLOR},
        text=text,
        hoverinfo="text",
    )


def require_plotly() -> ModuleType:
    """Return `plotly.graph_objects`.

    Raises:
        MissingDependency: If plotly is not installed.
    """
    return import_optional("plotly.graph_objects", purpose="the HTML view", install="tiepoint[collection]")
