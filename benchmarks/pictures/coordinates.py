"""Make docs/images/coordinates.png: where (0, 0) is, what resizing does, and what COLMAP adds.

python -m benchmarks pictures coordinates

The pixels and the keypoint are those of scikit-image's stereo pair: a real keypoint, in its place between the pixels.
"""

import argparse

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage import data

import tiepoint
from benchmarks.paths import PICTURES

PICTURE = PICTURES / "coordinates.png"
DPI = 120
SIZE = (8, 6)  # px of the piece of the image
SCALE = 0.5
OURS, COLMAP, POINT = "#0b4a8a", "#a03a22", "#a3006d"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Draw a piece of the image around a keypoint, and the same piece at half its size."""
    image = tiepoint.read_image(data.stereo_motorcycle()[0])
    left, top, point = piece_around_a_keypoint(image)
    gray = np.asarray(image.to_pil().convert("L"), dtype=float)[top : top + SIZE[1], left : left + SIZE[0]]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    original, resized = figure.subplots(1, 2)
    draw(original, gray, point, "original: 8 x 6 px")
    add_colmap_axes(original, point)
    small = gray.reshape(SIZE[1] // 2, 2, SIZE[0] // 2, 2).mean(axis=(1, 3))
    draw(resized, small, (point + 0.5) * SCALE - 0.5, "resized by s = 0.5: 4 x 3 px")
    resized.set_xlabel("x' = (x + 0.5) s - 0.5, and back by the inverse")
    figure.savefig(PICTURE, dpi=DPI, metadata={"Software": None})
    print(f"{PICTURE.name}: keypoint {point.round(2).tolist()} in a piece at ({left}, {top})")


def piece_around_a_keypoint(image: tiepoint.Image) -> tuple[int, int, np.ndarray]:
    """Return the corner of a piece of the image, and its keypoint in px of the piece: the one with the highest score."""
    point = tiepoint.load("aliked+lightglue", max_keypoints=1).extract(image).keypoints[0].numpy()
    left, top = (int(value) - side // 2 for value, side in zip(point, SIZE, strict=True))
    return left, top, point - (left, top)


def draw(axes: Axes, pixels: np.ndarray, point: np.ndarray, title: str) -> None:
    """Draw pixels with their borders, their centers and a keypoint."""
    height, width = pixels.shape
    axes.imshow(pixels, cmap="gray", vmin=-260, vmax=290)
    axes.set_xticks(range(width))
    axes.set_yticks(range(height))
    for edge in np.arange(-0.5, max(width, height)):
        axes.axhline(edge, color="white", lw=0.8)
        axes.axvline(edge, color="white", lw=0.8)
    axes.scatter(*np.meshgrid(range(width), range(height)), s=4, color=OURS)
    axes.scatter(*point, s=90, marker="+", color=POINT, lw=2.5)
    axes.annotate(f"({point[0]:.2f}, {point[1]:.2f})", point, (6, 7), textcoords="offset points", color=POINT)
    axes.annotate(
        "(0, 0)", (0, 0), (3, -11), textcoords="offset points", color=OURS, fontsize=9, fontweight="bold"
    )
    axes.set(title=title, xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.tick_params(colors=OURS)


def add_colmap_axes(axes: Axes, point: np.ndarray) -> None:
    """Add COLMAP's axes, whose (0, 0) is the corner."""
    shift = (lambda value: value + 0.5), (lambda value: value - 0.5)
    for axis in (
        axes.secondary_xaxis("bottom", functions=shift),
        axes.secondary_yaxis("right", functions=shift),
    ):
        axis.tick_params(colors=COLMAP)
    axes.xaxis.tick_top()
    axes.set_xlabel(
        f"COLMAP: x + 0.5, so this keypoint is ({point[0] + 0.5:.2f}, {point[1] + 0.5:.2f})", color=COLMAP
    )
    axes.xaxis.set_label_position("bottom")
    axes.xaxis.labelpad = 24
