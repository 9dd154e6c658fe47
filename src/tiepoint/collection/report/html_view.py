"""write_view: one HTML page that needs nothing else: the model in 3-D, the match graph, a table of photographs."""

import html
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.colmap_database import FOLDER
from tiepoint.collection.export.targets import output_file
from tiepoint.collection.report.plots import CAMERA, INK, graph_figure, require_plotly, scene_figure
from tiepoint.collection.report.statistics import Edge, PhotographStatistics, count_photographs
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.collection.sfm.matches_2d3d import check_keypoints
from tiepoint.collection.sfm.reconstruction import SPARSE, read_model
from tiepoint.io.atomic import atomic_write

VIEW = "view.html"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; color: {ink}; margin: 2em auto; max-width: 1100px; padding: 0 1em }}
table {{ border-collapse: collapse; font-size: 0.9em }} th, td {{ padding: 0.2em 0.8em; text-align: right }}
th:first-child, td:first-child {{ text-align: left }} tr:nth-child(even) {{ background: #f4f4f4 }}
.missing {{ color: {camera} }}
</style></head><body><h1>{title}</h1><p>{summary}</p>
{missing}{sections}</body></html>
"""


def write_html_view(
    collection: Collection | str | os.PathLike[str], file: str | os.PathLike[str] | None = None
) -> Path:
    """Write a page with cameras and points in 3-D, the match graph, and statistics of every photograph.

    The page is one file with everything in it, for any browser, without a network. Before there is a reconstruction
    it shows the rest.

    Args:
        collection: its output folder, or from `open_collection`; what it lacks is told, left out, and said on the page.
        file: where to. None: `view.html` in the collection's folder.

    Returns:
        The path.

    Raises:
        InvalidInput: no such collection, a model that is damaged or was made of other features, or the file can't be
            written.
        MissingDependency: plotly isn't installed; or pycolmap, and there is a model.
    """
    opened = open_collection(collection) if isinstance(collection, str | os.PathLike) else collection
    require_plotly()
    missing = warn_incomplete(opened)
    model = _read_model(opened) if (opened.folder / FOLDER / SPARSE / "0").is_dir() else None
    statistics, edges = count_photographs(opened, model)
    path = output_file(file, opened.folder / VIEW)
    with atomic_write(path) as temporary:
        page = _page(opened, missing, model, statistics, edges)
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def _read_model(collection: Collection) -> Any:
    """The model, after its keypoints were compared with those of the photographs that are still there."""
    model, names = read_model(collection), {photograph.name for photograph in collection.photographs}
    for image in map(model.image, model.reg_image_ids()):
        if image.name in names:
            check_keypoints(image, collection.features(image.name))
    return model


def _page(
    collection: Collection,
    missing: str,
    model: Any | None,
    statistics: dict[str, PhotographStatistics],
    edges: Sequence[Edge],
) -> str:
    figures = [] if model is None else [("Reconstruction", scene_figure(model))]
    figures.append(("Match graph", graph_figure(list(statistics), edges)))
    sections = [
        f"<h2>{heading}</h2>\n{_embedded(figure, first=place == 0)}"
        for place, (heading, figure) in enumerate(figures)
    ]
    sections.append(f"<h2>Photographs</h2>\n{photograph_table(statistics.values())}")
    return PAGE.format(
        title=html.escape(f"{collection.folder.absolute().name}: {len(statistics)} photographs"),
        summary=_summary(model, statistics),
        missing=f'<p class="missing">{html.escape(missing)}</p>\n' if missing else "",
        sections="\n".join(sections),
        ink=INK,
        camera=CAMERA,
    )


def photograph_table(rows: Iterable[PhotographStatistics]) -> str:
    """One row a photograph; those without a pose are marked."""
    heads = (
        "photograph", "px", "keypoints", "pairs", "matches", "verified", "3-D points", "reprojection error, px",
    )  # fmt: skip
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f"<table><tr>{head}</tr>\n{''.join(map(_row, rows))}</table>"


def _row(row: PhotographStatistics) -> str:
    error = row.mean_reprojection_error_px
    cells = (
        html.escape(row.name),
        f"{row.image_size[0]} × {row.image_size[1]}",
        *(f"{count:,}" for count in (row.keypoints, row.pairs, row.matches, row.verified)),
        f"{row.points:,}" if row.registered else "no pose",
        "–" if math.isnan(error) else f"{error:.2f}",
    )
    marked = "" if row.registered else ' class="missing"'
    return f"<tr{marked}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _summary(model: Any | None, statistics: dict[str, PhotographStatistics]) -> str:
    verified = sum(row.verified for row in statistics.values()) // 2
    pairs = sum(row.pairs for row in statistics.values()) // 2
    text = f"{pairs:,} pairs, {verified:,} verified matches"
    if model is None:
        return f"{text}; not reconstructed"
    return (
        f"{text}; {model.num_reg_images()} photographs registered, {model.num_points3D():,} points, mean track length "
        f"{model.compute_mean_track_length():.1f}, mean reprojection error "
        f"{model.compute_mean_reprojection_error():.2f} px"
    )


def _embedded(figure: Any, *, first: bool) -> str:
    """The figure as HTML; plotly itself is in the page once."""
    return figure.to_html(full_html=False, include_plotlyjs=first)
