"""report.html: metrics, curves and matches of a training, in one self-contained file."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.geometry.metrics import homography_errors_px
from tiepoint.image import Image, read_image
from tiepoint.io.atomic import atomic_write
from tiepoint.matching.inputs import PairMatcher
from tiepoint.training.data.homographic_warps import Warp, warp_image
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows
from tiepoint.training.report.plots import Curve, svg_plot
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import HeldOutPair
from tiepoint.visualization import draw_inliers

REPORT = "report.html"

TEMPLATE = "html_report.html.jinja"

NUM_EXAMPLES = 3
"""Number of held-out pairs whose matches are drawn."""

MAX_POINTS = 200
"""Maximum number of points per curve."""

LOSSES = ("total", "positive", "negative", "confidence")


class Plot(NamedTuple):
    """A plot with its title."""

    title: str
    svg: str


class Drawing(NamedTuple):
    """A drawing of matches, as a base64-encoded JPEG."""

    matcher: str
    jpeg: str


def write_html_report(
    report: TrainingReport, pairs: Sequence[HeldOutPair], matchers: Mapping[str, PairMatcher]
) -> Path:
    """Write the report into the output folder of the training.

    Args:
        report: Metrics, and the folder of the logs.
        pairs: Held-out pairs; the first few are drawn.
        matchers: Matchers whose matches are drawn, by name.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.get_template(TEMPLATE).render(
        report=report, plots=list(_plots(report.folder)), drawings=list(_drawings(pairs, matchers))
    )
    path = report.folder / REPORT
    with atomic_write(path) as temporary:
        temporary.write_text(page + "\n", encoding="utf-8")
    return path


def _plots(folder: Path) -> Iterator[Plot]:
    steps, validations = read_rows(folder / STEPS), read_rows(folder / VALIDATIONS)
    if steps:
        losses = [Curve.from_rows(name, steps, "pairs", name, max_points=MAX_POINTS) for name in LOSSES]
        yield Plot("Loss", svg_plot(losses, xlabel="training pairs"))
    if validations:
        metrics = [
            Curve.from_rows(name, validations, "pairs", name) for name in ("precision", "recall", "auc")
        ]
        yield Plot("Validation", svg_plot(metrics, xlabel="training pairs"))


def _drawings(pairs: Sequence[HeldOutPair], matchers: Mapping[str, PairMatcher]) -> Iterator[Drawing]:
    """Draw the matches of the first pairs whose images can still be read."""
    for pair in pairs[:NUM_EXAMPLES]:
        try:
            images = _warped_image(pair.warp0), _warped_image(pair.warp1)
        except InvalidInput:
            continue
        for name, matcher in matchers.items():
            yield Drawing(name, _encode(_draw(pair, images, matcher)))


def _warped_image(warp: Warp) -> Image:
    """Return the pixels of a warp, without augmentation."""
    if warp.features.source is None:
        raise InvalidInput("the features have no source image")
    pixels = warp_image(
        read_image(warp.features.source, stretch="auto"), warp.homography, warp.features.image_size
    )
    return Image(pixels=pixels)


def _draw(pair: HeldOutPair, images: tuple[Image, Image], matcher: PairMatcher) -> PIL.Image.Image:
    """Draw matches within 3 px of the ground truth as inliers, the others as outliers."""
    (assignment,) = matcher.match([(pair.warp0.features, pair.warp1.features)])
    points0, points1 = pair.points(assignment)
    is_correct = homography_errors_px(points0, points1, pair.homography) < 3
    return draw_inliers(*images, points0, points1, is_correct, max_side=800)


def _encode(image: PIL.Image.Image) -> str:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=85)
    return base64.b64encode(file.getvalue()).decode()
