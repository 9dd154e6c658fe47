"""Matches drawn as transformers draws them."""

from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_pairs import ImagePair
from tiepoint.huggingface.post_processing import KeypointMatches

LINE_WIDTH = 3
DOT_RADIUS = 2


def draw_keypoint_matching(
    pairs: Sequence[ImagePair], matches: Sequence[KeypointMatches]
) -> list[PIL.Image.Image]:
    """Draw each pair side by side: a line a match, from red (score 0) to green (score 1), dots at its ends.

    Raises:
        InvalidInput: another number of matches than of pairs.
    """
    if len(pairs) != len(matches):
        raise InvalidInput(
            f"there are {len(pairs)} pairs of images, but matches of {len(matches)}; "
            "pass the images that the matches were found in"
        )
    return [_draw_pair(pair, found) for pair, found in zip(pairs, matches, strict=True)]


def _draw_pair(pair: ImagePair, matches: KeypointMatches) -> PIL.Image.Image:
    (width0, height0), (width1, height1) = (image.image_size for image in pair)
    picture = PIL.Image.new("RGB", (width0 + width1, max(height0, height1)))
    picture.paste(pair[0].to_pil(), (0, 0))
    picture.paste(pair[1].to_pil(), (width0, 0))
    pen = PIL.ImageDraw.Draw(picture)
    points0, points1 = (matches[name].round().tolist() for name in ("keypoints0", "keypoints1"))
    for (x0, y0), (x1, y1), score in zip(points0, points1, matches["matching_scores"].tolist(), strict=True):
        pen.line((x0, y0, x1 + width0, y1), fill=_color(score), width=LINE_WIDTH)
        _dot(pen, x0, y0)
        _dot(pen, x1 + width0, y1)
    return picture


def _color(score: float) -> tuple[int, int, int]:
    return int(255 * (1 - score)), int(255 * score), 0


def _dot(pen: PIL.ImageDraw.ImageDraw, x: float, y: float) -> None:
    pen.ellipse((x - DOT_RADIUS, y - DOT_RADIUS, x + DOT_RADIUS, y + DOT_RADIUS), fill="black")
