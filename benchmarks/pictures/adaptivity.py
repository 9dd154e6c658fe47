"""Make docs/images/pruned-keypoints.jpg: when LightGlue prunes which keypoint, on scikit-image's stereo pair.

python -m benchmarks pictures adaptivity
"""

import argparse

import numpy as np
import PIL.Image
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import tiepoint
from benchmarks.adaptivity.pairs import pairs
from benchmarks.paths import PICTURES
from tiepoint.image import Image
from tiepoint.visualization import save_image

PICTURE = PICTURES / "pruned-keypoints.jpg"
MATCHED, LEFT = "#17a673", "#ffffff"
COLORMAP = "autumn"
DPI = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Match the hard pair, and draw the keypoints of both images in the color of the layer that pruned them."""
    images = pairs()["hard"]
    result = tiepoint.load("aliked+lightglue", max_keypoints=1024).match(*images)
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(
        1, 2, width_ratios=[image.image_size[0] / image.image_size[1] for image in images]
    )
    for side, (axes, image) in enumerate(zip(panels, images, strict=True)):
        draw(axes, image, result, side)
    handles = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    names = sorted(handles)
    figure.legend(
        [handles[name] for name in names], names, loc="outside lower center", ncols=5, markerscale=2
    )
    figure.set_dpi(DPI)
    canvas.draw()
    save_image(PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), PICTURE)
    print(f"{PICTURE.name}: {len(result)} matches, {result.layers_run} layers")


def draw(axes: Axes, image: Image, result: tiepoint.MatchResult, side: int) -> None:
    """Draw one image and its keypoints."""
    features, prune = ((result.features0, result.prune0), (result.features1, result.prune1))[side]
    points = features.keypoints.numpy()
    matched = np.isin(np.arange(len(points)), result.matches[:, side])
    axes.imshow(np.asarray(image.to_pil().convert("L")), cmap="gray", vmin=-80, vmax=330)
    left = ~matched & (prune >= result.layers_run)
    colors = colormaps[COLORMAP](np.linspace(0, 1, max(result.layers_run - 1, 1)))
    for layer in range(1, result.layers_run):
        pruned = ~matched & (prune == layer)
        axes.scatter(*points[pruned].T, s=7, color=colors[layer - 1], label=f"pruned after layer {layer}")
    axes.scatter(
        *points[left].T, s=7, color=LEFT, edgecolors="black", linewidths=0.4, label="unmatched at the end"
    )
    axes.scatter(*points[matched].T, s=9, color=MATCHED, marker="s", label="matched")
    axes.set_axis_off()
