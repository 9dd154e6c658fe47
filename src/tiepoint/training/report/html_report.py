"""report.html: metrics, curves and matches of a training, in one self-contained file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tiepoint.errors import InvalidInput
from tiepoint.geometry.metrics import homography_errors_px
from tiepoint.html.pair_viewers import PairViewers
from tiepoint.html.rendering import render_page, write_page
from tiepoint.image import Image, read_image
from tiepoint.matching.inputs import PairMatcher
from tiepoint.result import MatchResult
from tiepoint.training.data.homographic_warps import Warp, warp_image
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows
from tiepoint.training.report.plots import Curve, svg_plot
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import HeldOutPair, ValidationPair
from tiepoint.types import TwoViewEstimate

REPORT = "report.html"

TEMPLATE = "html_report.html.jinja"

NUM_EXAMPLES = 3
"""Number of held-out pairs whose matches are shown."""

MAX_POINTS = 200
"""Maximum number of points per curve."""

LOSSES = ("total", "positive", "negative", "confidence")


class Plot(NamedTuple):
    """A plot with its title."""

    title: str
    svg: str


def write_html_report(
    report: TrainingReport, pairs: Sequence[ValidationPair], matchers: Mapping[str, PairMatcher]
) -> Path:
    """Write the report into the output folder of the training.

    Args:
        report: Metrics, and the folder of the logs.
        pairs: Held-out pairs; the first few with a homography are shown.
        matchers: Matchers whose matches are shown, by name.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    viewers = PairViewers()
    warped = [pair for pair in pairs if isinstance(pair, HeldOutPair)]
    page = render_page(
        "tiepoint.training.report",
        TEMPLATE,
        title=f"Training {report.folder.name}",
        report=report,
        plots=list(_plots(report.folder)),
        cards=list(_cards(viewers, warped, matchers, report.protocol.max_error_px)),
        viewers=viewers,
    )
    return write_page(page, report.folder / REPORT)


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


def _cards(
    viewers: PairViewers,
    pairs: Sequence[HeldOutPair],
    matchers: Mapping[str, PairMatcher],
    max_error_px: float,
) -> Iterator[dict[str, Any]]:
    """Describe the matches of the first pairs whose images can still be read."""
    for number, pair in enumerate(pairs[:NUM_EXAMPLES]):
        try:
            images = _warped_image(pair.warp0), _warped_image(pair.warp1)
        except InvalidInput:
            continue
        pictures = [viewers.add_picture((number, side), image) for side, image in enumerate(images)]
        for name, matcher in matchers.items():
            result, truth = _match(pair, matcher, max_error_px)
            lines = [name, f"{truth.num_inliers:,} of {len(result):,} matches within {max_error_px:g} px"]
            shown = viewers.add_pair(result, *pictures, estimate=truth)
            yield {"pictures": pictures, "pair": shown, "lines": lines}


def _warped_image(warp: Warp) -> Image:
    """Return the pixels of a warp, without augmentation."""
    if warp.features.source is None:
        raise InvalidInput("the features have no source image")
    pixels = warp_image(
        read_image(warp.features.source, stretch="auto"), warp.homography, warp.features.image_size
    )
    return Image(pixels=pixels)


def _match(
    pair: HeldOutPair, matcher: PairMatcher, max_error_px: float
) -> tuple[MatchResult, TwoViewEstimate]:
    """Match a pair; the ground-truth homography tells the correct matches as inliers."""
    features0, features1 = pair.features
    (assignment,) = matcher.match([(features0, features1)])
    errors = homography_errors_px(*pair.points(assignment), pair.homography)
    truth = TwoViewEstimate(
        kind="homography",
        matrix=pair.homography,
        inliers=errors < max_error_px,
        method="ground truth",
        max_error_px=max_error_px,
    )
    return MatchResult.from_assignment(features0, features1, assignment), truth
