"""Match visualization in the style of transformers."""

from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing.pairs import ImagePair
from tiepoint.huggingface.image_processing.post_processing import KeypointMatches

LINE_WIDTH_PX = 3
DOT_RADIUS_PX = 2


def draw_keypoint_matching(
    pairs: Sequence[ImagePair], matches: Sequence[KeypointMatches]
) -> list[PIL.Image.Image]:
    """Draw each pair side by side, with one line per match, from red (score 0) to green (score 1), and end points.

    Raises:
        InvalidInput: If the number of pairs and the number of match sets differ.
    """
    if len(pairs) != len(matches):
        raise InvalidInput(
            f"got {len(pairs)} image pairs and matches of {len(matches)} pairs; pass the images that were matched"
        )
    return [_draw_pair(pair, pair_matches) for pair, pair_matches in zip(pairs, matches, strict=True)]


def _draw_pair(pair: ImagePair, matches: KeypointMatches) -> PIL.Image.Image:
    (width0, height0), (width1, height1) = (image.image_size for image in pair)
    canvas = PIL.Image.new("RGB", (width0 + width1, max(height0, height1)))
    canvas.paste(pair[0].to_pil(), (0, 0))
    canvas.paste(pair[1].to_pil(), (width0, 0))
    drawing = PIL.ImageDraw.Draw(canvas)
    points0, points1 = (matches[name].round().tolist() for name in ("keypoints0", "keypoints1"))
    for (x0, y0), (x1, y1), score in zip(points0, points1, matches["matching_scores"].tolist(), strict=True):
        drawing.line((x0, y0, x1 + width0, y1), fill=_score_color(score), width=LINE_WIDTH_PX)
        _draw_dot(drawing, x0, y0)
        _draw_dot(drawing, x1 + width0, y1)
    return canvas


def _score_color(score: float) -> tuple[int, int, int]:
    return int(255 * (1 - score)), int(255 * score), 0


def _draw_dot(drawing: PIL.ImageDraw.ImageDraw, x: float, y: float) -> None:
    drawing.ellipse(
        (x - DOT_RADIUS_PX, y - DOT_RADIUS_PX, x + DOT_RADIUS_PX, y + DOT_RADIUS_PX), fill="black"
    )
