"""Pictures of matches: two images side by side, and a line from each point to its partner."""

import colorsys
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.files import check_writable, replacing
from tiepoint.image import Image, ImageTransform
from tiepoint.types import describe

Points: TypeAlias = np.ndarray | Tensor
Color: TypeAlias = tuple[int, int, int]

FINENESS = 3  # lines and dots are drawn this many times larger, then reduced: that smooths their edges
FINE_PICTURE = 20e6  # px; a larger picture shows no jagged edges, and would take gigabytes
FARTHEST = 1e6  # px from the corner; points beyond it, which no picture shows, would overflow in Pillow

LINE_WIDTH = 1.3  # px of the picture, as the other lengths
DOT_RADIUS = 2.0
DOT_OUTLINE_WIDTH = 0.7
KEYPOINT_RADIUS = 1.5
FONT_SIZE = 16
MARGIN = 8

OPACITIES = (80, 220)  # of 255: of very many lines, so that the photographs show through, and of few
OPAQUE_LINES = 200  # up to here the lines count as few
IMAGE_BRIGHTNESS = 0.85  # lets the colours of lines and dots stand out
DOT_OUTLINE_COLOR = (0, 0, 0, 170)
KEYPOINT_COLOR = (90, 190, 255, 190)
BOX_COLOR = (0, 0, 0, 170)
TEXT_COLOR = (255, 255, 255)

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def draw_matches(
    image0: Image,
    image1: Image,
    points0: Points,
    points1: Points,
    scores: Points | None = None,
    *,
    keypoints0: Points | None = None,
    keypoints1: Points | None = None,
    max_lines: int | None = 500,
    color_range: tuple[float, float] | None = (0.0, 1.0),
    caption: str | None = None,
    max_side: int | None = 1024,
) -> PIL.Image.Image:
    """Draw two images side by side and a line a match, from red for low scores to green for high ones.

    Args:
        image0: the left image.
        image1: the right image.
        points0: (k, 2), (x, y) px of the original image 0; the centre of the top-left pixel is (0, 0).
        points1: (k, 2), their partners in image 1.
        scores: (k,), confidence of each match; without it all lines are green.
        keypoints0: (m, 2), further keypoints of image 0, drawn as faint dots.
        keypoints1: (n, 2), likewise of image 1.
        max_lines: draw only so many lines, the best by score; the caption says so. None draws all.
        color_range: the scores drawn in full red and in full green; None takes the lowest and the highest.
        caption: text in front of the number of matches; "" leaves the whole caption out.
        max_side: images with a longer side than this, in px, are reduced to it; None keeps every size.

    Returns:
        An RGB picture as wide as both images, black where there is no image.

    Raises:
        InvalidInput: points, keypoints or scores of a wrong shape or number, or not finite; a negative max_lines.
    """
    points0, points1 = _checked_points("points0", points0), _checked_points("points1", points1)
    if len(points0) != len(points1):
        raise InvalidInput(
            f"points0 has {len(points0)} rows, points1 has {len(points1)}; pass one row a match in both"
        )
    strengths = _checked_scores(scores, len(points0))
    shown = _best(strengths, max_lines)
    canvas = _Canvas(image0, image1, max_side)
    canvas.draw_keypoints(0, _checked_points("keypoints0", keypoints0))
    canvas.draw_keypoints(1, _checked_points("keypoints1", keypoints1))
    canvas.draw_lines(points0[shown], points1[shown], _colors(strengths, color_range, shown))
    text = _caption(caption, len(points0), len(shown), "best" if scores is not None else "first")
    return _with_caption(canvas.picture(), text)


class _Canvas:
    """Both images, enlarged for drawing, and the transforms from their pixels to the canvas."""

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

    def draw_lines(self, points0: np.ndarray, points1: np.ndarray, colors: list[Color]) -> None:
        """Draw lines in their order, then a dot at each of their ends."""
        starts, ends = self._place(0, points0), self._place(1, points1)
        opacity, width = _opacity(len(colors)), round(LINE_WIDTH * self.fineness)
        for start, end, color in zip(starts, ends, colors, strict=True):
            self.pen.line([start, end], fill=(*color, opacity), width=width)
        for start, end, color in zip(starts, ends, colors, strict=True):
            for point in (start, end):
                self._dot(point, DOT_RADIUS + DOT_OUTLINE_WIDTH, DOT_OUTLINE_COLOR)
                self._dot(point, DOT_RADIUS, color)

    def picture(self) -> PIL.Image.Image:
        """What has been drawn, at the size of the picture."""
        return self.canvas.reduce(self.fineness)

    def _dot(self, centre: tuple[int, int], radius: float, color: tuple[int, ...]) -> None:
        (x, y), r = centre, round(radius * self.fineness)
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


def _checked_points(name: str, points: Points | None) -> np.ndarray:
    if points is None:
        return np.zeros((0, 2))
    array = _as_numpy(points)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InvalidInput(f"{name} must be (x, y) rows of shape (k, 2), but came as {describe(points)}")
    return _checked_finite(name, array)


def _checked_scores(scores: Points | None, count: int) -> np.ndarray:
    if scores is None:
        return np.ones(count)
    array = _as_numpy(scores)
    if array.shape != (count,):
        raise InvalidInput(f"scores must have shape ({count},), one a match, but came as {describe(scores)}")
    return _checked_finite("scores", array)


def _as_numpy(values: Points) -> np.ndarray:
    array = values.detach().cpu().double().numpy() if isinstance(values, Tensor) else values
    return np.ascontiguousarray(array, dtype=np.float64)


def _checked_finite(name: str, array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name} hold NaN or infinite values; remove those rows before drawing")
    return array


def _best(scores: np.ndarray, max_lines: int | None) -> np.ndarray:
    """Indices of the highest scores, rising, so that the best lines are drawn last and lie on top."""
    if max_lines is not None and max_lines < 0:
        raise InvalidInput(f"max_lines must be 0 or more, or None for all, but is {max_lines}")
    return np.argsort(-scores, kind="stable")[:max_lines][::-1]


def _colors(scores: np.ndarray, color_range: tuple[float, float] | None, shown: np.ndarray) -> list[Color]:
    if len(shown) == 0:
        return []
    low, high = (scores.min(), scores.max()) if color_range is None else color_range
    if high <= low:
        low = high - 1  # all scores are equal: green
    return [_color(strength) for strength in np.clip((scores[shown] - low) / (high - low), 0, 1)]


def _opacity(lines: int) -> int:
    faint, strong = OPACITIES
    return round(max(faint, strong * min(1.0, OPAQUE_LINES / max(lines, 1))))


def _color(strength: float) -> Color:
    """Red for 0, over yellow, to green for 1."""
    red, green, blue = colorsys.hsv_to_rgb(float(strength) / 3, 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _caption(caption: str | None, count: int, shown: int, which: str) -> str:
    if caption == "":
        return ""
    text = f"{count:,} match" if count == 1 else f"{count:,} matches"
    if shown < count:
        text += f", the {which} {shown:,} shown"
    return f"{caption}: {text}" if caption else text


def _with_caption(picture: PIL.Image.Image, text: str) -> PIL.Image.Image:
    """Write the text into the upper left corner, unless the picture is too small for it."""
    pen = PIL.ImageDraw.Draw(picture, "RGBA")
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    box = pen.textbbox((2 * MARGIN, 2 * MARGIN), text, font=font)
    frame = (box[0] - MARGIN, box[1] - MARGIN, box[2] + MARGIN, box[3] + MARGIN)
    if text and frame[2] < picture.width and frame[3] < picture.height:
        pen.rounded_rectangle(frame, radius=MARGIN // 2, fill=BOX_COLOR)
        pen.text((2 * MARGIN, 2 * MARGIN), text, fill=TEXT_COLOR, font=font)
    return picture


def check_picture(path: str | os.PathLike[str]) -> Path:
    """Find out before the work whether a picture can be written under this name.

    Raises:
        InvalidInput: an ending that isn't a picture format's, or the file can't be written.
    """
    target = Path(path)
    if target.suffix.lower() not in PICTURE_FORMATS:
        raise InvalidInput(
            f"can't write a picture as {target.name!r}; use a name that ends in {', '.join(PICTURE_FORMATS)}"
        )
    check_writable(target)
    return target


def save_picture(picture: PIL.Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write a picture, whole or not at all.

    Returns:
        The path.

    Raises:
        InvalidInput: as for `check_picture`.
    """
    target = check_picture(path)
    with replacing(target) as temporary:
        picture.save(temporary)
    return target
