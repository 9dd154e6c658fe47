"""Make the picture of docs/images-to-colmap.md from what benchmarks/reconstruction.py left.

    .venv/bin/python benchmarks/render_reconstruction.py

The model of the castle, its points in their colors, and its cameras.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from reconstruction import ROOT
from tiepoint.collection.collection import open_collection
from tiepoint.collection.report.plots import frustum_line, scene_extent
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct

PICTURES = ROOT / "docs" / "images"
SCENE = "sceaux_castle"
WIDTH, HEIGHT, DPI = 10, 5.5, 100
DEPTH, ZOOM = 0.04, 1.6
FARTHEST = 0.98
"""Quantile of the distances from the middle beyond which points are left out."""


def main() -> None:
    """Reconstruct with a shared camera, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=ROOT / "build" / "reconstruction", help="what is done")
    out = parser.parse_args().store / SCENE / "out"
    reconstruct(out)
    draw(read_model(open_collection(out)), PICTURES / "reconstruction.png")


def draw(model: Any, path: Path) -> None:
    """Points and cameras as COLMAP's frame has them, seen from above and behind the cameras."""
    figure = plt.figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    axes: Any = figure.add_axes((0, 0, 1, 1), projection="3d")
    xyz, colors = near_points(model)
    axes.scatter(*upright(xyz), c=colors, s=5, linewidths=0, depthshade=False)
    for number in model.reg_image_ids():
        stroke = frustum_line(model.image(number), DEPTH * scene_extent(model))
        axes.plot(*upright(stroke), color="#c0392b", linewidth=1)
    limits = [axes.get_xlim(), axes.get_ylim(), axes.get_zlim()]
    axes.set_box_aspect(np.ptp(limits, axis=1), zoom=ZOOM)
    axes.set_axis_off()
    axes.view_init(elev=30, azim=-110)
    figure.savefig(path)
    plt.close(figure)


def near_points(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points, without the few that are far from all others, and their colors in [0, 1]."""
    points = list(model.points3D.values())
    xyz = np.array([point.xyz for point in points])
    distances = np.linalg.norm(xyz - np.median(xyz, axis=0), axis=1)
    near = distances < np.quantile(distances, FARTHEST)
    return xyz[near], np.array([point.color for point in points])[near] / 255


def upright(xyz: np.ndarray) -> np.ndarray:
    """(3, n): COLMAP's y points down and z forward, matplotlib's z up."""
    x, y, z = xyz.T
    return np.stack([x, z, -y])


if __name__ == "__main__":
    main()
