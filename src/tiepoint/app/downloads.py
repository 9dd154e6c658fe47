"""Files of a finished pair: a drawing, JSON, NumPy arrays, a page of its own."""

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path

from starlette.responses import Response

from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.app.pairs import ARRAYS, VIEWER, PairRequest
from tiepoint.app.responses import download
from tiepoint.app.service import Service
from tiepoint.html.pair_page import render_pair
from tiepoint.result import MatchResult

MEDIA_TYPES = {
    "png": "image/png",
    "json": "application/json",
    "npz": "application/octet-stream",
    "html": "text/html; charset=utf-8",
}

_drawing = threading.Lock()  # one drawing at a time, so that the memory is bounded


def pair_file(job: Job, request: PairRequest, suffix: str, service: Service, prefix: str = "") -> Response:
    """Return a file of a finished pair.

    Args:
        job: Finished job.
        request: Request of the job.
        suffix: Key of `MEDIA_TYPES`.
        service: State of the server, which still has the images.
        prefix: Prefix of the job's files.

    Raises:
        RequestError: If the job has no such file.
    """
    paths = job.folder / f"{prefix}{ARRAYS}", job.folder / f"{prefix}{VIEWER}"
    if job.state != "done" or suffix not in MEDIA_TYPES or not all(path.is_file() for path in paths):
        raise RequestError("there is no such file", 404)
    makers: dict[str, Callable[[], bytes | str]] = {
        "npz": paths[0].read_bytes,
        "json": lambda: _as_json(paths[0]),
        "html": lambda: render_pair(json.loads(paths[1].read_text(encoding="utf-8"))),
        "png": lambda: _draw(paths[0], request, service),
    }
    return download(makers[suffix](), f"{prefix}matches.{suffix}", MEDIA_TYPES[suffix])


def _as_json(path: Path) -> str:
    result = MatchResult.load(path)
    return json.dumps(result.to_dict(MatchResult.load_estimate(path), result.verify()), allow_nan=False)


def _draw(path: Path, request: PairRequest, service: Service) -> bytes:
    with _drawing:
        result, estimate = MatchResult.load(path), MatchResult.load_estimate(path)
        image0, image1 = (service.uploads.read(service.uploads.get(each.id)) for each in request.images)
        picture = (
            result.draw(image0, image1) if estimate is None else result.draw_inliers(estimate, image0, image1)
        )
        file = io.BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()
