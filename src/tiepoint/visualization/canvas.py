"""Canvas: two images next to each other, with lines and dots in their pixel coordinates."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import torch

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.colors import Color

SUPERSAMPLING = 3  # factor by which lines and dots are drawn larger, for antialiasing
MAX_SUPERSAMPLED_PIXELS = 20e6  # larger drawings show no aliasing, and would need gigabytes
MAX_COORDINATE = 1e6  # px; Pillow overflows beyond

# Lengths in px of a drawing that is 800 px wide or narrower; they grow with the width of wider ones
UNIT_WIDTH = 800
LINE_WIDTH = 1.2
OUTLINE_WIDTH = 0.7  # on each side of lines and dots
DOT_RADIUS = 2.2
KEYPOINT_RADIUS = 1.3
SMALL_DOT_RADIUS = 0.9

OPACITIES = (80, 235)  # of 255: minimum for many lines, so that the images stay visible, and maximum for few
MAX_OPAQUE_LINES = 100  # number of lines drawn with maximum opacity
IMAGE_BRIGHTNESS = 0.75  # factor that makes the colors of lines and dots stand out
IMAGE_SATURATION = 0.5
SMALL_DOT_OPACITY = 170
OUTLINE_COLOR = (0, 0, 0)
DOT_OUTLINE_COLOR = (0, 0, 0, 170)
KEYPOINT_COLOR = (90, 190, 255, 190)


class Canvas:
    """Both images, supersampled, and the transforms from their pixels to the canvas.

    Args:
        image0: Left image.
        image1: Right image.
        max_side: Maximum image side in px; larger images are downsampled. None keeps the sizes.
    """

    def __init__(self, image0: Image, image1: Image, max_side: int | None) -> None:
        fits = [_fit(image, max_side) for image in (image0, image1)]
        (width0, height0), (width1, height1) = (fit.resized_size for fit in fits)
        size = (width0 + width1, max(height0, height1))
        self.supersampling = SUPERSAMPLING if size[0] * size[1] <= MAX_SUPERSAMPLED_PIXELS else 1
        self._unit = self.supersampling * max(1.0, size[0] / UNIT_WIDTH)
        self.lefts = (0, width0 * self.supersampling)
        self.transforms = [_enlarged(fit, self.supersampling) for fit in fits]
        drawing = PIL.Image.new("RGB", size)
        drawing.paste(_resized(image0, fits[0]), (0, 0))
        drawing.paste(_resized(image1, fits[1]), (width0, 0))
        self.canvas = drawing.resize(
            [side * self.supersampling for side in size], PIL.Image.Resampling.NEAREST
        )
        self.pen = PIL.ImageDraw.Draw(self.canvas, "RGBA")  # this mode blends by opacity

    def draw_keypoints(self, side: int, keypoints: np.ndarray) -> None:
        """Draw faint dots on image 0 or 1."""
        for point in self._to_canvas(side, keypoints):
            self._dot(point, KEYPOINT_RADIUS, KEYPOINT_COLOR)

    def draw_dots(self, points0: np.ndarray, points1: np.ndarray, colors: list[Color]) -> None:
        """Draw small dots at matched points of both images, without lines."""
        for side, points in enumerate((points0, points1)):
            for point, color in zip(self._to_canvas(side, points), colors, strict=True):
                self._dot(point, SMALL_DOT_RADIUS, (*color, SMALL_DOT_OPACITY))

    def draw_matches(
        self,
        points0: np.ndarray,
        points1: np.ndarray,
        colors: list[Color],
        *,
        is_crossed: np.ndarray | None = None,
    ) -> None:
        """Draw lines from image 0 to image 1 in the given order, and markers at their ends on top.

        Args:
            points0: Points (x, y) in px of image 0.
            points1: Points (x, y) in px of image 1.
            colors: Color of each match.
            is_crossed: Whether the markers of each match are crosses; None for dots.
        """
        starts, ends = self._to_canvas(0, points0), self._to_canvas(1, points1)
        self._lines(starts, ends, colors, LINE_WIDTH)
        crossed = np.zeros(len(colors), bool) if is_crossed is None else is_crossed
        for start, end, color, is_cross in zip(starts, ends, colors, crossed, strict=True):
            mark = self._cross if is_cross else self._outlined_dot
            mark(start, DOT_RADIUS, color)
            mark(end, DOT_RADIUS, color)

    def draw_segments(
        self, side: int, starts: np.ndarray, ends: np.ndarray, colors: list[Color], *, width: float
    ) -> None:
        """Draw lines within image 0 or 1; `width` in px of the drawing."""
        self._lines(self._to_canvas(side, starts), self._to_canvas(side, ends), colors, width)

    def draw_points(self, side: int, points: np.ndarray, colors: list[Color], *, radius: float) -> None:
        """Draw outlined dots on image 0 or 1; `radius` in px of the drawing."""
        for point, color in zip(self._to_canvas(side, points), colors, strict=True):
            self._outlined_dot(point, radius, color)

    def drawing(self) -> PIL.Image.Image:
        """Return the drawing without supersampling."""
        return self.canvas.reduce(self.supersampling)

    def _lines(
        self,
        starts: list[tuple[int, int]],
        ends: list[tuple[int, int]],
        colors: list[Color],
        width: float,
    ) -> None:
        opacity = _opacity(len(colors))
        for start, end, color in zip(starts, ends, colors, strict=True):
            self._outlined_line(start, end, width, (*color, opacity))

    def _outlined_line(
        self, start: tuple[int, int], end: tuple[int, int], width: float, color: tuple[int, ...]
    ) -> None:
        """Draw a line of RGBA color with a dark outline, which is visible on bright and dark images."""
        outline = (*OUTLINE_COLOR, color[3] // 2)
        self.pen.line([start, end], fill=outline, width=self._length(width + 2 * OUTLINE_WIDTH))
        self.pen.line([start, end], fill=color, width=self._length(width))

    def _outlined_dot(self, center: tuple[int, int], radius: float, color: Color) -> None:
        self._dot(center, radius + OUTLINE_WIDTH, DOT_OUTLINE_COLOR)
        self._dot(center, radius, color)

    def _cross(self, center: tuple[int, int], radius: float, color: Color) -> None:
        (x, y), r = center, self._length(1.6 * radius)
        for sign in (-1, 1):
            self._outlined_line((x - r, y - sign * r), (x + r, y + sign * r), LINE_WIDTH, (*color, 255))

    def _length(self, value: float) -> int:
        """Convert a length in px of the drawing to px of the canvas."""
        return max(1, round(value * self._unit))

    def _dot(self, center: tuple[int, int], radius: float, color: tuple[int, ...]) -> None:
        (x, y), r = center, self._length(radius)
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def _to_canvas(self, side: int, points: np.ndarray) -> list[tuple[int, int]]:
        """Convert to integer canvas coordinates, rounded, because Pillow truncates."""
        moved = (
            self.transforms[side]
            .to_resized(torch.from_numpy(points))
            .clamp(-MAX_COORDINATE, MAX_COORDINATE)
            .round()
            .long()
        )
        return [(x + self.lefts[side], y) for x, y in moved.tolist()]


def _fit(image: Image, max_side: int | None) -> ImageTransform:
    longer = max(image.image_size)
    return ImageTransform.fit(image.image_size, None if max_side is None else min(max_side, longer))


def _enlarged(transform: ImageTransform, factor: int) -> ImageTransform:
    width, height = transform.resized_size
    return ImageTransform(transform.original_size, (width * factor, height * factor))


def _resized(image: Image, transform: ImageTransform) -> PIL.Image.Image:
    resized = Image(pixels=transform.apply(image) * IMAGE_BRIGHTNESS).to_pil()
    return PIL.ImageEnhance.Color(resized).enhance(IMAGE_SATURATION)


def _opacity(lines: int) -> int:
    faint, strong = OPACITIES
    return round(max(faint, strong * min(1.0, MAX_OPAQUE_LINES / max(lines, 1))))
