"""Run a collection for the page: match, reconstruct, write the view; and read what is there afterwards."""

import html
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.collection.collection import open_collection
from tiepoint.collection.report.html_view import VIEW, write_html_view
from tiepoint.collection.report.plots import require_plotly
from tiepoint.collection.report.run_report import JSON as REPORT_JSON, PAGE as REPORT_PAGE
from tiepoint.collection.run.runner import match_collection
from tiepoint.collection.sfm.reconstruction import SUMMARY, reconstruct as run_mapper
from tiepoint.errors import TiepointError
from tiepoint.geometry.colmap import require_pycolmap

COLMAP = "colmap"
MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin", "frames.bin", "rigs.bin")
PAGES = {"report": REPORT_PAGE, "view": VIEW}

# The pages are self-contained; in a sandbox they have an origin of their own, so that they cannot use the server
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; connect-src data: blob:; frame-ancestors 'self'"
)


def run_collection(
    images: Path, out: Path, job: Job, *, pairs: str, reconstruct: bool, options: Mapping[str, Any]
) -> None:
    """Match a collection and reconstruct it; finished work is not repeated.

    Args:
        images: Folder of the images.
        out: Output folder.
        job: Job that shows the progress, and stops the work.
        pairs: Pair selection.
        reconstruct: Whether to run COLMAP's mapper.
        options: Options of `match_collection`.

    Raises:
        TiepointError: If an option is invalid, a library is missing, or nothing can be matched.
    """
    require_pycolmap()
    require_plotly()
    match_collection(images, out, pairs=pairs, progress=job.progress, **options)
    collection = open_collection(out, on_warning=lambda message: None)
    if reconstruct:
        with job.progress("reconstruct", None):
            _try_reconstruct(collection, out)
    with job.progress("draw", None):
        write_html_view(collection)


def find_report(out: Path) -> dict[str, Any]:
    """Return the numbers of a finished run for the page, without paths."""
    try:
        report = json.loads((out / REPORT_JSON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    names = ("files", "images", "keypoints", "selected", "pairs", "matches", "verified", "inliers", "seconds")
    found = {name: report.get(name) for name in names}
    found["problems"] = [_without_paths(text, out) for text in report.get("problems", ())]
    found["model"] = _read_summary(out)
    return found


def read_page(out: Path, name: str) -> str:
    """Return the report or the view of a finished run, without paths of the server.

    Raises:
        RequestError: If there is no such page.
    """
    path = out / PAGES.get(name, "")
    if name not in PAGES or not path.is_file():
        raise RequestError("there is no such page yet", 404)
    return _without_paths(path.read_text(encoding="utf-8"), out)


def zip_model(out: Path) -> bytes:
    """Return the model of a finished run in COLMAP's binary format, as a ZIP file.

    Raises:
        RequestError: If there is no model.
    """
    folder = out / COLMAP / "sparse" / "0"
    files = [folder / name for name in MODEL_FILES if (folder / name).is_file()]
    if not files:
        raise RequestError("there is no model", 404)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, f"sparse/0/{path.name}")
    return content.getvalue()


def _try_reconstruct(collection: Any, out: Path) -> None:
    """Reconstruct; images without a model are a result, too."""
    try:
        run_mapper(collection)
    except TiepointError as error:
        summary = out / COLMAP / SUMMARY
        summary.parent.mkdir(exist_ok=True)
        summary.write_text(json.dumps({"reason": _without_paths(str(error), out)}), encoding="utf-8")


def _read_summary(out: Path) -> dict[str, Any] | None:
    try:
        summary = json.loads((out / COLMAP / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    names = ("images", "registered", "points", "mean_reprojection_error_px", "reason")
    return {name: summary.get(name) for name in names}


def _without_paths(text: str, out: Path) -> str:
    """Remove the folders of the collection from a text, also as HTML and JSON write them."""
    for folder in (out.parent / "images", out, out.parent):
        for path in {str(folder), str(folder.absolute()), str(folder.resolve())}:
            for written in (path, html.escape(path), json.dumps(path)[1:-1]):
                text = text.replace(f"{written}/", "").replace(
                    written, folder.name if folder != out.parent else ""
                )
    return text
