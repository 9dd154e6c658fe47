"""Two images side by side, and a pen for lines and dots in their pixels."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import torch

from tiepoint.image import Image, ImageTransform
from tiepoint.visualization.colors import Color

FINENESS = 3  # lines and dots are drawn this many times larger, then reduced: that smooths their edges
FINE_PICTURE = 20e6  # px; a larger picture shows no jagged edges, and would take gigabytes
FARTHEST = 1e6  # px from the corner; points beyond it, which no picture shows, would overflow in Pillow

LINE_WIDTH = 1.3  # px of the picture, as the other lengths
DOT_RADIUS = 2.0
DOT_OUTLINE_WIDTH = 0.7
KEYPOINT_RADIUS = 1.5

OPACITIES = (80, 220)  # of 255: of very many lines, so that the photographs show through, and of few
OPAQUE_LINES = 200  # up to here the lines count as few
IMAGE_BRIGHTNESS = 0.85  # lets the colors of lines and dots stand out
DOT_OUTLINE_COLOR = (0, 0, 0, 170)
KEYPOINT_COLOR = (90, 190, 255, 190)


class Canvas:
    """Both images, enlarged for drawing, and the transforms from their pixels to the canvas.

    Args:
        image0: the left image.
        image1: the right image.
        max_side: images with a longer side than this, in px, are reduced to it; None keeps every size.
    """

    def __init__(self, image0: Image, image1: Image, max_side: int | None) -> None:
        fits = [_fit(image, max_side) for image in (image0, image1)]
        (width0, height0), (width1, height1) = (fit.resized_size for fit in fits)
        size = (width0 + width1, max(height0, height1))
        self.fineness = FINENESS if size[0] * size[1] <= FINE_PICTURE else 1
        self.lefts = (0, width0 * self.fineness)
        self.transforms = [_enlarged(fit, self.fineness) for fit in fits]
        picture = PIL.Image.new("RGB", size)
        picture.paste(_resized(image0, fits[0]), (0, 0))
        picture.paste(_resized(image1, fits[1]), (width0, 0))
        self.canvas = picture.resize([side * self.fineness for side in size], PIL.Image.Resampling.NEAREST)
        self.pen = PIL.ImageDraw.Draw(self.canvas, "RGBA")  # this mode blends by opacity

    def draw_keypoints(self, side: int, keypoints: np.ndarray) -> None:
        """Draw faint dots on image 0 or 1."""
        for point in self._place(side, keypoints):
            self._dot(point, KEYPOINT_RADIUS, KEYPOINT_COLOR)

    def draw_matches(self, points0: np.ndarray, points1: np.ndarray, colors: list[Color]) -> None:
        """Draw lines from image 0 to image 1 in their order, then a dot at each of their ends."""
        starts, ends = self._place(0, points0), self._place(1, points1)
        self._lines(starts, ends, colors, LINE_WIDTH)
        for start, end, color in zip(starts, ends, colors, strict=True):
            self._outlined_dot(start, DOT_RADIUS, color)
            self._outlined_dot(end, DOT_RADIUS, color)

    def draw_segments(
        self, side: int, starts: np.ndarray, ends: np.ndarray, colors: list[Color], *, width: float
    ) -> None:
        """Draw lines within image 0 or 1; `width` in px of the picture."""
        self._lines(self._place(side, starts), self._place(side, ends), colors, width)

    def draw_points(self, side: int, points: np.ndarray, colors: list[Color], *, radius: float) -> None:
        """Draw dots with an outline on image 0 or 1; `radius` in px of the picture."""
        for point, color in zip(self._place(side, points), colors, strict=True):
            self._outlined_dot(point, radius, color)

    def picture(self) -> PIL.Image.Image:
        """What has been drawn, at the size of the picture."""
        return self.canvas.reduce(self.fineness)

    def _lines(
        self,
        starts: list[tuple[int, int]],
        ends: list[tuple[int, int]],
        colors: list[Color],
        width: float,
    ) -> None:
        opacity, thickness = _opacity(len(colors)), round(width * self.fineness)
        for start, end, color in zip(starts, ends, colors, strict=True):
            self.pen.line([start, end], fill=(*color, opacity), width=thickness)

    def _outlined_dot(self, center: tuple[int, int], radius: float, color: Color) -> None:
        self._dot(center, radius + DOT_OUTLINE_WIDTH, DOT_OUTLINE_COLOR)
        self._dot(center, radius, color)

    def _dot(self, center: tuple[int, int], radius: float, color: tuple[int, ...]) -> None:
        (x, y), r = center, round(radius * self.fineness)
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def _place(self, side: int, points: np.ndarray) -> list[tuple[int, int]]:
        """Pixels of the canvas; rounded here, because Pillow would cut the fractions off."""
        placed = (
            self.transforms[side]
            .to_resized(torch.from_numpy(points))
            .clamp(-FARTHEST, FARTHEST)
            .round()
            .long()
        )
        return [(x + self.lefts[side], y) for x, y in placed.tolist()]


def _fit(image: Image, max_side: int | None) -> ImageTransform:
    longer = max(image.image_size)
    return ImageTransform.fit(image.image_size, None if max_side is None else min(max_side, longer))


def _enlarged(transform: ImageTransform, factor: int) -> ImageTransform:
    width, height = transform.resized_size
    return ImageTransform(transform.original_size, (width * factor, height * factor))


def _resized(image: Image, transform: ImageTransform) -> PIL.Image.Image:
    return Image(pixels=transform.apply(image) * IMAGE_BRIGHTNESS).to_pil()


def _opacity(lines: int) -> int:
    faint, strong = OPACITIES
    return round(max(faint, strong * min(1.0, OPAQUE_LINES / max(lines, 1))))
