"""report.html: one page, without anything beside it, that shows what a training gave."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.geometry.metrics import homography_errors_px
from tiepoint.image import Image, read_image
from tiepoint.io.atomic import atomic_write
from tiepoint.matching.inputs import PairMatcher
from tiepoint.training.data.homography_views import View, warp_image
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows
from tiepoint.training.report.svg_plot import Curve, chart
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import HeldOutPair
from tiepoint.visualization import draw_matches

PAGE = "report.html"
PICTURES = 3
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}"
    "td:first-child,th:first-child{text-align:left}img,svg{max-width:100%}"
)


def write_page(
    report: TrainingReport, pairs: Sequence[HeldOutPair], matchers: Mapping[str, PairMatcher]
) -> Path:
    """Write the page into the folder of the report.

    Args:
        report: gives figures and, by its folder, the logs.
        pairs: held out; the first few are shown.
        matchers: whose matches are shown, by name.

    Raises:
        InvalidInput: it can't be written.
    """
    parts = [*_summary(report), _table(report), *_charts(report.folder), *_pictures(pairs, matchers)]
    title = html.escape(f"Training {report.folder.name}")
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    )
    path = report.folder / PAGE
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join([text, f"<h1>{title}</h1>", *parts]) + "\n", encoding="utf-8")
    return path


def _summary(report: TrainingReport) -> list[str]:
    shape = report.shape
    lines = [
        f"Recipe {report.recipe}, extractor {report.extractor}: {shape.layers} layers, width {shape.dim}, "
        f"{shape.heads} heads, {report.parameters / 1e6:.1f} million parameters.",
        f"{report.pairs:,} pairs in {report.steps:,} steps, {report.seconds / 60:.1f} minutes.",
        *report.problems,
    ]
    return [f"<p>{html.escape(line)}</p>" for line in lines]


def _table(report: TrainingReport) -> str:
    heads = ("", "precision, %", "recall, %", "AUC, %", "matches", "layers", "seconds a pair")
    rows = [
        (
            name,
            *(f"{100 * value:.1f}" for value in (figures.precision, figures.recall, figures.auc)),
            f"{figures.matches:.0f}",
            f"{figures.layers:.1f}",
            f"{figures.seconds:.4f}",
        )
        for name, figures in report.figures.items()
    ]
    pairs = next(iter(report.figures.values())).pairs
    cells = [_row(heads, "th"), *(_row(row, "td") for row in rows)]
    caption = f"Protocol {report.protocol.name}, {pairs} held-out pairs"
    return f"<h2>{html.escape(caption)}</h2><table>{''.join(cells)}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _charts(folder: Path) -> list[str]:
    steps, validations = read_rows(folder / STEPS), read_rows(folder / VALIDATIONS)
    losses = [
        Curve.of(name, steps, "pairs", name, points=200)
        for name in ("total", "positive", "negative", "confidence")
    ]
    shares = [Curve.of(name, validations, "pairs", name) for name in ("precision", "recall", "auc")]
    charts = {"Loss against pairs": losses, "Held-out photographs, against pairs": shares}
    return [f"<h2>{title}</h2>{chart(curves)}" for title, curves in charts.items() if len(curves[0].x)]


def _pictures(pairs: Sequence[HeldOutPair], matchers: Mapping[str, PairMatcher]) -> list[str]:
    """Matches of the first pairs whose photographs can still be read."""
    shown = []
    for pair in pairs[:PICTURES]:
        try:
            images = _seen(pair.view0), _seen(pair.view1)
        except InvalidInput:
            continue
        for name, matcher in matchers.items():
            shown.append(f"<h3>{html.escape(name)}</h3>{_embedded(_drawn(pair, images, matcher))}")
    return shown


def _seen(view: View) -> Image:
    """What a view shows, without its augmentation."""
    if view.features.source is None:
        raise InvalidInput("these features don't say of which photograph they are")
    pixels = warp_image(read_image(view.features.source), view.homography, view.features.image_size)
    return Image(pixels=pixels)


def _drawn(pair: HeldOutPair, images: tuple[Image, Image], matcher: PairMatcher) -> PIL.Image.Image:
    """Right matches green, wrong ones red."""
    (found,) = matcher.match([(pair.view0.features, pair.view1.features)])
    points0, points1 = pair.points(found)
    right = homography_errors_px(points0, points1, pair.homography) < 3
    return draw_matches(*images, points0, points1, right.astype(np.float32), max_side=800)


def _embedded(picture: PIL.Image.Image) -> str:
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'
