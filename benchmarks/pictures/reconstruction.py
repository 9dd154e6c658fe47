"""Draw the picture of docs/how-to/images-to-colmap.md from the collections of `python -m benchmarks reconstruction`.

    python -m benchmarks pictures reconstruction

The model of the castle: colored points, and cameras.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.paths import PICTURES
from benchmarks.reconstruction.measure import STORE
from tiepoint.collection.collection import open_collection
from tiepoint.collection.report.plots import frustum_line, scene_extent
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct

SCENE = "sceaux_castle"
WIDTH, HEIGHT, DPI = 10, 5.5, 100
FRUSTUM_DEPTH, ZOOM = 0.04, 1.6
MAX_DISTANCE_QUANTILE = 0.98
"""Quantile of the distances from the median beyond which points are left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=STORE, help="Folder of collections and models.")


def main(arguments: argparse.Namespace) -> None:
    """Reconstruct with a shared camera, and draw."""
    out = arguments.store / SCENE / "out"
    reconstruct(out)
    draw(read_model(open_collection(out)), PICTURES / "reconstruction.png")


def draw(model: Any, path: Path) -> None:
    """Draw points and cameras, seen from above and behind the cameras."""
    figure = plt.figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    axes: Any = figure.add_axes((0, 0, 1, 1), projection="3d")
    xyz, colors = near_points(model)
    axes.scatter(*upright(xyz), c=colors, s=5, linewidths=0, depthshade=False)
    for number in model.reg_image_ids():
        stroke = frustum_line(model.image(number), FRUSTUM_DEPTH * scene_extent(model))
        axes.plot(*upright(stroke), color="#c0392b", linewidth=1)
    limits = [axes.get_xlim(), axes.get_ylim(), axes.get_zlim()]
    axes.set_box_aspect(np.ptp(limits, axis=1), zoom=ZOOM)
    axes.set_axis_off()
    axes.view_init(elev=30, azim=-110)
    figure.savefig(path)
    plt.close(figure)


def near_points(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return points, without outliers far from all others, and their colors in [0, 1]."""
    points = list(model.points3D.values())
    xyz = np.array([point.xyz for point in points])
    distances = np.linalg.norm(xyz - np.median(xyz, axis=0), axis=1)
    near = distances < np.quantile(distances, MAX_DISTANCE_QUANTILE)
    return xyz[near], np.array([point.color for point in points])[near] / 255


def upright(xyz: np.ndarray) -> np.ndarray:
    """Convert COLMAP's axes (y down, z forward) to matplotlib's (z up), shape (3, n)."""
    x, y, z = xyz.T
    return np.stack([x, z, -y])
