"""The application: the page, uploads, jobs and their files, the API, and what happens with errors."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiepoint.app.api import API_ROUTES, service_of
from tiepoint.app.collection_routes import COLLECTION_ROUTES
from tiepoint.app.downloads import pair_file
from tiepoint.app.guard import Guard
from tiepoint.app.inputs import add_body, add_from_root, add_from_url, read_json
from tiepoint.app.jobs import Job
from tiepoint.app.kinds import KINDS
from tiepoint.app.messages import RequestError
from tiepoint.app.page import STATIC, render_index
from tiepoint.app.pairs import VIEWER
from tiepoint.app.responses import error_response, json_response
from tiepoint.app.service import Service
from tiepoint.errors import TiepointError

logger = logging.getLogger(__name__)

CLEAN_UP_S = 60.0
MAX_FORMS = 8  # forms of the API that are read at the same time, each into files of the system


def create_app(service: Service) -> Starlette:
    """Create the application of a server.

    Args:
        service: State of the server; it is closed when the application ends.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        cleaning = asyncio.create_task(_clean_up_often(service))
        try:
            yield
        finally:
            cleaning.cancel()
            await run_in_threadpool(service.close)

    app = Starlette(
        routes=[*PAGE_ROUTES, *COLLECTION_ROUTES, *API_ROUTES],
        exception_handlers={
            HTTPException: error_response,
            TiepointError: error_response,
            Exception: error_response,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.forms = asyncio.Semaphore(MAX_FORMS)
    app.add_middleware(Guard, settings=service.settings)
    return app


async def index(request: Request) -> Response:
    """Return the page."""
    return Response(render_index(service_of(request)), media_type="text/html")


async def static(request: Request) -> Response:
    """Return a script or the style of the page."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise RequestError("not found", 404)
    read, media_type = STATIC[name]
    return Response(read(), media_type=media_type)


async def upload(request: Request) -> Response:
    """Keep the image in the body of a request."""
    service = service_of(request)
    added = await add_body(request, service)
    return json_response(added.to_dict(), 201)


async def upload_from(request: Request) -> Response:
    """Keep an image from a URL or below the root."""
    service = service_of(request)
    values = await read_json(request)
    if isinstance(values.get("url"), str):
        added = await add_from_url(values["url"].strip(), service)
    elif isinstance(values.get("path"), str):
        added = await add_from_root(values["path"], service)
    else:
        raise RequestError("expected a url or a path", 422)
    return json_response(added.to_dict(), 201)


async def preview(request: Request) -> Response:
    """Return an upload as JPEG."""
    service = service_of(request)
    found = service.uploads.get(request.path_params["id"])
    async with service.reading:
        content = await run_in_threadpool(service.uploads.preview, found)
    return Response(content, media_type="image/jpeg")


async def remove_upload(request: Request) -> Response:
    """Remove an upload."""
    service_of(request).uploads.remove(request.path_params["id"])
    return json_response({})


async def folders(request: Request) -> Response:
    """List a folder below the root."""
    root = service_of(request).root
    return json_response(await run_in_threadpool(root.listing, request.query_params.get("path", "")))


async def submit(request: Request) -> Response:
    """Queue a job of the page."""
    service = service_of(request)
    values = await read_json(request)
    maker = KINDS.get(str(values.get("kind")))
    if maker is None:
        raise RequestError(f"kind: expected one of {', '.join(KINDS)}", 422)
    job = await run_in_threadpool(maker, values, service)
    return json_response(_status(job, service), 202)


async def status(request: Request) -> Response:
    """Return the state of a job."""
    service = service_of(request)
    return json_response(_status(_job(request), service))


async def cancel(request: Request) -> Response:
    """Cancel a job."""
    job = _job(request)
    job.cancel()
    return json_response(_status(job, service_of(request)))


async def viewer_data(request: Request) -> Response:
    """Return the data of a viewer of a finished job."""
    job = _job(request)
    path = job.folder / f"{_prefix(request)}{VIEWER}"
    if job.state != "done" or not path.is_file():
        raise RequestError("there is no such file", 404)
    return Response(await run_in_threadpool(path.read_bytes), media_type="application/json")


async def matches(request: Request) -> Response:
    """Return the matches of a finished job as a file."""
    job = _job(request)
    prefix = _prefix(request)
    pair = job.value.get(prefix) if isinstance(job.value, dict) else None
    if pair is None:
        raise RequestError("there is no such file", 404)
    suffix = request.path_params["suffix"]
    return await run_in_threadpool(pair_file, job, pair, suffix, service_of(request), prefix)


PAGE_ROUTES = [
    Route("/", index),
    Route("/static/{name}", static),
    Route("/uploads", upload, methods=["POST"]),
    Route("/uploads/from", upload_from, methods=["POST"]),
    Route("/uploads/{id}", remove_upload, methods=["DELETE"]),
    Route("/uploads/{id}/preview", preview),
    Route("/folders", folders),
    Route("/jobs", submit, methods=["POST"]),
    Route("/jobs/{id}", status),
    Route("/jobs/{id}", cancel, methods=["DELETE"]),
    Route("/jobs/{id}/viewer", viewer_data),
    Route("/jobs/{id}/matches.{suffix}", matches),
]


def _job(request: Request) -> Job:
    return service_of(request).queue.get(request.path_params["id"])


def _prefix(request: Request) -> str:
    """Return the prefix of the files of one of several pairs of a job."""
    part = request.query_params.get("part", "")
    return f"{part}-" if part.isalnum() and len(part) <= 4 else ""


def _status(job: Job, service: Service) -> dict[str, Any]:
    return job.to_dict() | {"position": service.queue.position(job)}


async def _clean_up_often(service: Service) -> None:
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(CLEAN_UP_S)
            try:
                await run_in_threadpool(service.clean_up)
            except Exception:  # the next one may succeed
                logger.exception("cannot remove unused files")
