"""write_html_view: a self-contained HTML page: model in 3D, match graph, weak images, viewers, a table of the images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiepoint.collection.collection import Collection, as_collection
from tiepoint.collection.export.colmap_database import FOLDER
from tiepoint.collection.export.output_paths import output_file
from tiepoint.collection.report.pair_cards import strong_pair_cards, weak_image_cards
from tiepoint.collection.report.plots import graph_figure, require_plotly, scene_figure
from tiepoint.collection.report.statistics import Edge, ImageStatistics, compute_statistics
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.collection.sfm.matches_2d3d import check_keypoints
from tiepoint.collection.sfm.reconstruction import SPARSE, read_model
from tiepoint.html.pair_viewers import PairViewers
from tiepoint.html.rendering import render_page, write_page
from tiepoint.io.atomic import check_writable

VIEW = "view.html"
TEMPLATE = "html_view.html.jinja"


def write_html_view(
    collection: Collection | str | os.PathLike[str], file: str | os.PathLike[str] | None = None
) -> Path:
    """Write an HTML page with cameras and points in 3D, the match graph, and statistics of each image.

    Pairs of the images with the fewest inliers, and those with the most, open in the interactive viewer.

    The page is a single file that needs no network. Without a reconstruction it shows the rest.

    Args:
        collection: Collection from `open_collection`, or its output folder; missing data is left out with a warning,
            which the page shows as well.
        file: Output file. None: `view.html` in the collection's folder.

    Returns:
        The output file.

    Raises:
        InvalidInput: If the folder is not a collection, the model is damaged or does not fit the features, or the file
            cannot be written.
        MissingDependency: If plotly is not installed; or pycolmap, and there is a model.
    """
    opened = as_collection(collection)
    require_plotly()
    missing = warn_incomplete(opened)
    model = _read_model(opened) if (opened.folder / FOLDER / SPARSE / "0").is_dir() else None
    statistics, edges = compute_statistics(opened, model)
    path = output_file(file, opened.folder / VIEW)
    check_writable(path)
    return write_page(_render(opened, missing, model, statistics, edges), path)


def _read_model(collection: Collection) -> Any:
    """Read the model and check its keypoints against those of the images that still exist."""
    model, names = read_model(collection), {image.name for image in collection.images}
    for image in map(model.image, model.reg_image_ids()):
        if image.name in names:
            check_keypoints(image, collection.features(image.name))
    return model


def _render(
    collection: Collection,
    missing: str,
    model: Any | None,
    statistics: dict[str, ImageStatistics],
    edges: Sequence[Edge],
) -> str:
    figures = [] if model is None else [("Reconstruction", scene_figure(model))]
    figures.append(("Match graph", graph_figure(list(statistics), edges)))
    viewers = PairViewers()
    return render_page(
        "tiepoint.collection.report",
        TEMPLATE,
        title=f"{collection.folder.absolute().name}: {len(statistics)} images",
        summary=_summary(model, statistics),
        missing=missing,
        figures=[
            # plotly.js is included once, with the first figure
            (heading, figure.to_html(full_html=False, include_plotlyjs=number == 0))
            for number, (heading, figure) in enumerate(figures)
        ],
        images=list(statistics.values()),
        weak_images=weak_image_cards(viewers, collection, statistics),
        strong_pairs=strong_pair_cards(viewers, collection, edges),
        viewers=viewers,
    )


def _summary(model: Any | None, statistics: dict[str, ImageStatistics]) -> str:
    verified = sum(row.verified for row in statistics.values()) // 2
    pairs = sum(row.pairs for row in statistics.values()) // 2
    text = f"{pairs:,} pairs, {verified:,} inlier matches"
    if model is None:
        return f"{text}; not reconstructed"
    return (
        f"{text}; {model.num_reg_images()} images registered, {model.num_points3D():,} points, mean track length "
        f"{model.compute_mean_track_length():.1f}, mean reprojection error "
        f"{model.compute_mean_reprojection_error():.2f} px"
    )
