"""Control points: the matches of a registration with their residuals, as CSV or for QGIS's georeferencer."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import warp_points
from tiepoint.image.georeferencing import GeoTags
from tiepoint.io.atomic import atomic_write
from tiepoint.types import Correspondences

SUFFIXES = (".csv", ".points")
COLUMNS = ("x_moving", "y_moving", "x_fixed", "y_fixed", "score", "residual_px", "inlier")
PIXELS_UPWARD = np.array([[1, 0, 0.5], [0, -1, -0.5], [0, 0, 1.0]])
"""From px with the center of the top-left pixel at (0, 0) to px from the top-left corner with y pointing up."""
QGIS_COLUMNS = ("mapX", "mapY", "sourceX", "sourceY", "enable", "dX", "dY", "residual")


def check_control_points_path(path: Path) -> None:
    """Check the suffix of an output path.

    Raises:
        InvalidInput: If it is not one of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInput(
            f"cannot write control points to {path}: expected a name ending in .csv or .points (QGIS)"
        )


def write_control_points(
    path: Path,
    matches: Correspondences,
    mapped: Float[np.ndarray, "k 2"],
    is_control_point: Bool[np.ndarray, "k"],
    geo: GeoTags,
) -> None:
    """Write the matches: all of them as CSV, the control points as .points for QGIS.

    CSV has positions in px of both images, the center of the top-left pixel at (0, 0), the score, the residual in px of
    the fixed image, and 1 for control points. QGIS has map coordinates where the fixed image is georeferenced, otherwise
    px, and source coordinates in px from the top-left corner with y pointing up.

    Args:
        path: Output path ending in .csv or .points.
        matches: Matches in px of the moving and the fixed image.
        mapped: Points of the moving image, mapped to px of the fixed one.
        is_control_point: Matches that the mapping was fitted to: inliers, or control points of a deformation.
        geo: GeoTIFF tags of the fixed image.
    """
    check_control_points_path(path)
    is_qgis = path.suffix.lower() == ".points"
    residuals = mapped - matches.points1
    rows = (
        _qgis_rows(matches, residuals, is_control_point, geo)
        if is_qgis
        else _csv_rows(matches, residuals, is_control_point)
    )
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(QGIS_COLUMNS if is_qgis else COLUMNS)
        writer.writerows(rows)


def _csv_rows(
    matches: Correspondences, residuals: Float[np.ndarray, "k 2"], inliers: Bool[np.ndarray, "k"]
) -> Iterator[list[str]]:
    positions = np.hstack([matches.points0, matches.points1])
    lengths = np.hypot(residuals[:, 0], residuals[:, 1])
    for position, score, residual, inlier in zip(positions, matches.scores, lengths, inliers, strict=True):
        yield [*(f"{value:.3f}" for value in position), f"{score:.4f}", f"{residual:.3f}", str(int(inlier))]


def _qgis_rows(
    matches: Correspondences,
    residuals: Float[np.ndarray, "k 2"],
    inliers: Bool[np.ndarray, "k"],
    geo: GeoTags,
) -> Iterator[list[str]]:
    map_from_pixel = geo.map_from_pixel
    if map_from_pixel is None:
        map_from_pixel = PIXELS_UPWARD
    targets = warp_points(matches.points1[inliers], map_from_pixel)
    sources = warp_points(matches.points0[inliers], PIXELS_UPWARD)
    for target, source, (dx, dy) in zip(targets, sources, residuals[inliers], strict=True):
        position = [repr(float(value)) for value in target]
        errors = [f"{dx:.3f}", f"{-dy:.3f}", f"{np.hypot(dx, dy):.3f}"]
        yield [*position, *(f"{value:.3f}" for value in source), "1", *errors]
