"""Plots of images, keypoints and matches with Matplotlib, with the functions of `lightglue.viz2d`.

Call `plot_images` first; the other functions draw into the axes of the current figure. Without Matplotlib, use
`MatchResult.draw`.
"""

import os
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.optional import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = Any

Color: TypeAlias = str | Sequence[float]
Array: TypeAlias = np.ndarray | Tensor

FIGURE_HEIGHT_IN = 4.5
"""Height of a figure in inches."""
MAX_LAYERS = 9
"""Number of layers of the published networks."""

RED, GREEN, YELLOW, BLUE = np.eye(3)[0], np.eye(3)[1], np.array([1.0, 1.0, 0.0]), np.eye(3)[2]
OPAQUE_RED, OPAQUE_GREEN = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
OPAQUE_BLUE = np.array([0.0, 0.1, 1.0, 1.0])


def cm_RdGn(x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:  # noqa: N802 - name of cvg/LightGlue
    """Map values to colors from red (0) over yellow (0.5) to green (1).

    Args:
        x: Values; those outside [0, 1] are clipped.
    """
    return _blend(RED, GREEN, np.clip(x, 0, 1))


def cm_BlRdGn(x_: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 4"]:  # noqa: N802 - name of cvg/LightGlue
    """Map values to colors from blue (-1) over red (0) to green (1).

    Args:
        x_: Values; those outside [-1, 1] are clipped.
    """
    positive = _blend(OPAQUE_RED, OPAQUE_GREEN, np.clip(x_, 0, 1))
    negative = _blend(OPAQUE_RED, OPAQUE_BLUE, np.clip(-x_, 0, 1))
    return np.where(x_[..., None] < 0, negative, positive)


def cm_prune(x_: Array) -> Float[np.ndarray, "n 4"]:
    """Map the numbers of layers `prune0`, `prune1` to colors: blue for keypoints that were never pruned.

    Args:
        x_: Number of layers after which each keypoint was pruned.
    """
    layers = to_numpy(x_)
    return cm_BlRdGn(np.where(layers == layers.max(), -1.0, (layers - 1) / MAX_LAYERS))


def cm_grad2d(xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Map positions in the unit square to colors: yellow (0, 0), green (1, 0), red (0, 1), blue (1, 1).

    Args:
        xy: Positions (x, y); those outside [0, 1] are clipped.
    """
    x, y = np.split(np.clip(xy, 0, 1), 2, axis=-1)
    first, last = (1 - x) * YELLOW + x * GREEN, (1 - x) * RED + x * BLUE
    return np.clip((1 - y) * first + y * last, 0, 1)


def plot_images(
    imgs: Sequence[Array],
    titles: Sequence[str] | None = None,
    cmaps: str | Sequence[str] = "gray",
    dpi: float = 100,
    pad: float = 0.5,
    adaptive: bool = True,
) -> None:
    """Plot images in a row, in a new figure.

    Args:
        imgs: Images: arrays (h, w, 3) or (h, w), or tensors (3, h, w) or (h, w).
        titles: Title of each image.
        cmaps: Colormap of gray images, or one per image.
        dpi: Resolution in dots per inch.
        pad: Margin in units of the font size.
        adaptive: Adapt the figure to the aspect ratios of the images; otherwise 4:3.

    Raises:
        MissingDependency: If Matplotlib is not installed.
    """
    images = [_channels_last(image) for image in imgs]
    names = [cmaps] * len(images) if isinstance(cmaps, str) else cmaps
    ratios = [image.shape[1] / image.shape[0] if adaptive else 4 / 3 for image in images]
    figure, axes = _pyplot().subplots(
        1,
        len(images),
        squeeze=False,
        dpi=dpi,
        figsize=(sum(ratios) * FIGURE_HEIGHT_IN, FIGURE_HEIGHT_IN),
        gridspec_kw={"width_ratios": ratios},
    )
    for number, (axis, image, cmap) in enumerate(zip(axes[0], images, names, strict=True)):
        axis.imshow(image, cmap=cmap)
        axis.set_axis_off()
        if titles:
            axis.set_title(titles[number])
    figure.tight_layout(pad=pad)


def plot_keypoints(
    kpts: Sequence[Array],
    colors: Color | Sequence[Any] = "lime",
    ps: float = 4,
    axes: Sequence[Axes] | None = None,
    a: float | list[float] = 1.0,
) -> None:
    """Plot keypoints on the images of the current figure.

    Args:
        kpts: Keypoints of each image, shape (n, 2).
        colors: Color of all keypoints, or a list with the color or colors of each image.
        ps: Area of a keypoint in square points.
        axes: Axes of the images; None uses those of the current figure.
        a: Opacity, or one per image.
    """
    per_image = colors if isinstance(colors, list) else [colors] * len(kpts)
    opacities = a if isinstance(a, list) else [a] * len(kpts)
    shown = _pyplot().gcf().axes if axes is None else axes
    for axis, points, color, alpha in zip(shown, kpts, per_image, opacities, strict=False):
        x, y = to_numpy(points).T
        axis.scatter(x, y, c=color, s=ps, linewidths=0, alpha=alpha)


def plot_matches(
    kpts0: Array,
    kpts1: Array,
    color: Color | Sequence[Any] | None = None,
    lw: float = 1.5,
    ps: float = 4,
    a: float = 1.0,
    labels: Sequence[str] | None = None,
    axes: Sequence[Axes] | None = None,
) -> None:
    """Plot the matches of two images of the current figure.

    Args:
        kpts0: Keypoints of image 0, shape (k, 2); row i matches row i of `kpts1`.
        kpts1: Keypoints of image 1, shape (k, 2).
        color: Color of all matches, or one per match; None colors them by their positions in image 0.
        lw: Width of the lines in points; 0 plots no lines.
        ps: Area of the end points in square points; 0 plots none.
        a: Opacity of the lines.
        labels: Label of each line.
        axes: Axes of the two images; None uses the first two of the current figure.

    Raises:
        InvalidInput: If the numbers of keypoints differ.
    """
    points0, points1 = to_numpy(kpts0), to_numpy(kpts1)
    if len(points0) != len(points1):
        raise InvalidInput(
            f"expected as many keypoints of image 1 as of image 0, got {len(points0)} and {len(points1)}; "
            "select the matched ones with matches[:, 0] and matches[:, 1]"
        )
    axis0, axis1 = _pyplot().gcf().axes[:2] if axes is None else axes
    colors = _match_colors(color, points0)
    if lw > 0:
        _plot_lines(axis0, axis1, points0, points1, colors, lw, a, labels)
    for axis, points in ((axis0, points0), (axis1, points1)):
        axis.autoscale(enable=False)  # plots must not change the view, or the lines would move
        if ps > 0:
            axis.scatter(points[:, 0], points[:, 1], c=colors, s=ps)


def add_text(
    idx: int,
    text: str,
    pos: tuple[float, float] = (0.01, 0.99),
    fs: float = 15,
    color: Color = "w",
    lcolor: Color | None = "k",
    lwidth: float = 2,
    ha: str = "left",
    va: str = "top",
) -> None:
    """Write a text on an image of the current figure.

    Args:
        idx: Index of the image.
        text: Text.
        pos: Position (x, y) in the image; (0, 0) is the lower left and (1, 1) the upper right corner.
        fs: Font size in points.
        color: Color of the text.
        lcolor: Color of the outline; None draws none.
        lwidth: Width of the outline in points.
        ha: Horizontal alignment.
        va: Vertical alignment.
    """
    axis = _pyplot().gcf().axes[idx]
    written = axis.text(*pos, text, fontsize=fs, ha=ha, va=va, color=color, transform=axis.transAxes)
    if lcolor is not None:
        effects = _matplotlib("patheffects")
        written.set_path_effects([effects.Stroke(linewidth=lwidth, foreground=lcolor), effects.Normal()])


def save_plot(path: str | os.PathLike[str], **kw: Any) -> None:
    """Save the current figure without margins.

    Args:
        path: Output file; its suffix decides the format.
        **kw: Options of `matplotlib.pyplot.savefig`.
    """
    _pyplot().savefig(path, bbox_inches="tight", pad_inches=0, **kw)


def to_numpy(value: Array) -> np.ndarray:
    """Return a tensor or an array as array."""
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _plot_lines(
    axis0: Axes,
    axis1: Axes,
    points0: np.ndarray,
    points1: np.ndarray,
    colors: Any,
    width: float,
    alpha: float,
    labels: Sequence[str] | None,
) -> None:
    patches = _matplotlib("patches")
    for number, (point0, point1) in enumerate(zip(points0, points1, strict=True)):
        line = patches.ConnectionPatch(
            xyA=tuple(point0),
            xyB=tuple(point1),
            coordsA=axis0.transData,
            coordsB=axis1.transData,
            axesA=axis0,
            axesB=axis1,
            zorder=1,
            color=colors[number],
            linewidth=width,
            clip_on=True,
            alpha=alpha,
            label=None if labels is None else labels[number],
            picker=5.0,
        )
        line.set_annotation_clip(True)
        axis0.figure.add_artist(line)


def _match_colors(color: Any, points: np.ndarray) -> Any:
    """Return one color per match."""
    if color is None:
        extent = np.ptp(points, axis=0, keepdims=True) if len(points) else 1.0
        start = points.min(axis=0, keepdims=True) if len(points) else 0.0
        return cm_grad2d((points - start) / np.where(extent == 0, 1, extent))
    is_one = isinstance(color, str) or (
        len(color) > 0 and not isinstance(color[0], str | Sequence | np.ndarray)
    )
    return [color] * len(points) if is_one else color


def _blend(first: np.ndarray, second: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Blend from the first color (0) to the second (1); both at full strength in the middle."""
    amount = 2 * x[..., None]
    return np.clip(amount * second + (2 - amount) * first, 0, 1)


def _channels_last(image: Array) -> np.ndarray:
    array = to_numpy(image)
    return array.transpose(1, 2, 0) if isinstance(image, Tensor) and image.ndim == 3 else array


def _pyplot() -> ModuleType:
    return _matplotlib("pyplot")


def _matplotlib(module: str) -> ModuleType:
    return import_optional(f"matplotlib.{module}", purpose="viz2d", install="matplotlib")
