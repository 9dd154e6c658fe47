"""Panorama: the result of stitching."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Float, UInt8

from tiepoint.errors import InvalidInput
from tiepoint.image.resampling import Tile
from tiepoint.stitching.canvas import Canvas
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph
from tiepoint.stitching.pair_matches import PairMatch
from tiepoint.stitching.views import PlanarView, RotatedView, View
from tiepoint.visualization import save_image

MAX_PARALLAX_SHARE = 0.25  # of the pairs that may show depth: a few false matches look like it

WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
"""Suffixes of formats that are written with an alpha channel; others are black where nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StitchedImage:
    """An image that is part of a panorama.

    Attributes:
        index: Position in the list of images.
        name: Path or URL of the image, or "image 3".
        image_size: Size (width, height) in px.
        focal_px: Estimated focal length in px; None for homographies.
        world_from_cam: Rotation matrix from camera (right, down, forward) to panorama; None for homographies.
        homography: Homography from px to px of the plane of the panorama; None for rotations.
        scale: Px of the panorama per px of the image, at the image center: below 1, the image loses resolution.
    """

    index: int
    name: str
    image_size: tuple[int, int]
    focal_px: float | None = None
    world_from_cam: Float[np.ndarray, "3 3"] | None = None
    homography: Float[np.ndarray, "3 3"] | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Panorama:
    """A panorama, and how it was made.

    Attributes:
        pixels: RGBA, shape (h, w, 4); alpha is 0 where no image shows anything.
        images: Images that are part of it.
        left_out: Images that are not, with reasons.
        pairs: Overlapping pairs of its images.
        views: Views of the images, in the same order.
        canvas: Pixel grid on the surface.
        model: "rotation" or "homography".
        projection: "plane", "cylinder" or "sphere".
        rms_px: Root mean square of the residuals of all inliers, in px of the images.
        median_error_px: Median of these residuals.
        field_of_view_deg: Horizontal and vertical field of view in degrees; None for homographies.
        warnings: Possible defects, such as double images of a scene with depth.
        seconds: Seconds of each stage.
        dropped_pairs: Overlapping pairs whose matches contradict those of the others, with a reason.
    """

    pixels: UInt8[np.ndarray, "h w 4"]
    images: tuple[StitchedImage, ...]
    left_out: tuple[LeftOutImage, ...]
    pairs: tuple[PairMatch, ...]
    views: tuple[View, ...]
    canvas: Canvas
    model: str
    projection: str
    rms_px: float
    median_error_px: float
    field_of_view_deg: tuple[float, float] | None
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    dropped_pairs: tuple[PairMatch, ...] = ()

    def __repr__(self) -> str:
        width, height = self.image_size
        left_out = f", {len(self.left_out)} left out" if self.left_out else ""
        return (
            f"Panorama({width} x {height} px, {len(self.images)} images{left_out}, {self.model}, {self.projection}, "
            f"median error {self.median_error_px:.2f} px)"
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) in px."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def is_full_circle(self) -> bool:
        """Whether the panorama continues from its last column to its first one."""
        return self.canvas.width == self.canvas.period

    @property
    def has_parallax(self) -> bool:
        """Whether more than a quarter of the pairs show depth, so that the panorama may have double images.

        Dropped pairs count, too: depth is what makes matches contradict each other.
        """
        return bool(pairs_with_depth((*self.pairs, *self.dropped_pairs)))

    def to_pil(self) -> PIL.Image.Image:
        """Return the panorama as an RGBA image."""
        return PIL.Image.fromarray(self.pixels)

    def to_panorama(self, index: int, points: Float[np.ndarray, "k 2"]) -> Float[np.ndarray, "k 2"]:
        """Map points of an image to the panorama.

        Args:
            index: Position of the image in the list of images.
            points: Points (x, y) in px of the image.

        Returns:
            Points in px of the panorama; NaN beyond the horizon.

        Raises:
            InvalidInput: If the image is not part of the panorama.
        """
        for image, view in zip(self.images, self.views, strict=True):
            if image.index == index:
                surface = view.to_surface(np.asarray(points, dtype=np.float64))
                return self.canvas.to_px(surface)
        raise InvalidInput(f"index: image {index} is not part of the panorama")

    def cropped(self, tile: Tile) -> "Panorama":
        """Return a part of the panorama.

        Args:
            tile: Rectangle in px of the panorama.
        """
        canvas = replace(
            self.canvas,
            left=self.canvas.left + tile.left,
            top=self.canvas.top + tile.top,
            width=tile.width,
            height=tile.height,
        )
        return replace(self, pixels=np.ascontiguousarray(self.pixels[tile.slices]), canvas=canvas)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the panorama; PNG, TIFF and WebP with an alpha channel, other formats black where nothing is known.

        Args:
            path: Output path; the suffix decides the format.

        Raises:
            InvalidInput: If the suffix is not that of an image format, or the file cannot be written.
        """
        image = self.to_pil()
        return save_image(image if Path(path).suffix.lower() in WITH_ALPHA else image.convert("RGB"), path)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pixels as lists, numbers and strings."""
        return {
            "image_size": list(self.image_size),
            "model": self.model,
            "projection": self.projection,
            "field_of_view_deg": self.field_of_view_deg and list(self.field_of_view_deg),
            "scale" if self.projection == "plane" else "pixels_per_radian": self.canvas.scale,
            "offset_px": [self.canvas.left, self.canvas.top],
            "rms_px": self.rms_px,
            "median_error_px": self.median_error_px,
            "is_full_circle": self.is_full_circle,
            "has_parallax": self.has_parallax,
            "warnings": list(self.warnings),
            "images": [_image_to_dict(image) for image in self.images],
            "left_out": [_left_out_to_dict(each) for each in self.left_out],
            "pairs": [pair_to_dict(pair) for pair in self.pairs],
            "dropped_pairs": [pair_to_dict(pair) for pair in self.dropped_pairs],
            "seconds": self.seconds,
        }


class StitchingFailed(InvalidInput):
    """Images that cannot be stitched, although they were matched.

    Attributes:
        contents: Contents of the JSON file: the reason, the images that were left out, the matched pairs.
    """

    def __init__(self, message: str, contents: dict[str, Any]) -> None:
        super().__init__(message)
        self.contents = contents


def pairs_with_depth(pairs: Sequence[PairMatch]) -> list[PairMatch]:
    """Return the pairs that show depth; [] if they are too few to tell that the camera moved.

    Args:
        pairs: Overlapping pairs.
    """
    found = [pair for pair in pairs if pair.has_parallax]
    return found if len(found) > MAX_PARALLAX_SHARE * len(pairs) else []


def stitched_image(index: int, name: str, view: View, scale: float) -> StitchedImage:
    """Return the description of an image of a panorama.

    Args:
        index: Position in the list of images.
        name: Path or URL of the image, or "image 3".
        view: View of the image.
        scale: Px of the panorama per px of the image.
    """
    common: dict[str, Any] = {"index": index, "name": name, "image_size": view.image_size, "scale": scale}
    if isinstance(view, RotatedView):
        return StitchedImage(**common, focal_px=view.focal_px, world_from_cam=view.world_from_cam)
    assert isinstance(view, PlanarView), "there are two kinds of views"
    return StitchedImage(**common, homography=view.surface_from_image)


def pair_to_dict(pair: PairMatch) -> dict[str, Any]:
    """Return matches, inliers and homography of a pair as lists, numbers and strings."""
    matrix = pair.estimate.matrix
    return {
        "index0": pair.index0,
        "index1": pair.index1,
        "num_matches": len(pair.result),
        "num_inliers": pair.estimate.num_inliers,
        "homography": None if matrix is None else matrix.tolist(),
        "probability": pair.result.verify().probability,
        "has_parallax": pair.has_parallax,
        "reason": pair.reason,
    }


def stitching_to_dict(
    graph: MatchGraph, panorama: Panorama, output: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """Return the contents of a JSON file: the panorama, and of two images the matches, too.

    Args:
        graph: Match graph of all images.
        panorama: Panorama.
        output: Path of the panorama.
    """
    return matches_to_dict(graph) | panorama.to_dict() | {"output": None if output is None else str(output)}


def failure_to_dict(graph: MatchGraph, left_out: Sequence[LeftOutImage], reason: str) -> dict[str, Any]:
    """Return the contents of a JSON file of images that cannot be stitched.

    Args:
        graph: Match graph of all images.
        left_out: Images that cannot be used, with reasons.
        reason: Reason of the failure.
    """
    return matches_to_dict(graph) | {
        "output": None,
        "reason": reason,
        "left_out": [_left_out_to_dict(each) for each in left_out],
        "pairs": [pair_to_dict(pair) for pair in graph.pairs.values()],
    }


def matches_to_dict(graph: MatchGraph) -> dict[str, Any]:
    """Return matches, homography and verification of two images, as `tiepoint match --json`; {} for other numbers."""
    if len(graph.inputs) != 2 or len(graph.pairs) != 1:
        return {}
    (pair,) = graph.pairs.values()
    return pair.result.to_dict(pair.estimate, pair.result.verify())


def _left_out_to_dict(image: LeftOutImage) -> dict[str, Any]:
    return {"index": image.index, "name": image.name, "reason": image.reason}


def _image_to_dict(image: StitchedImage) -> dict[str, Any]:
    values: dict[str, Any] = {
        "index": image.index,
        "name": image.name,
        "image_size": list(image.image_size),
        "scale": image.scale,
    }
    if image.homography is not None:
        return values | {"homography": image.homography.tolist()}
    assert image.world_from_cam is not None, "an image has a rotation or a homography"
    return values | {"focal_px": image.focal_px, "world_from_cam": image.world_from_cam.tolist()}
