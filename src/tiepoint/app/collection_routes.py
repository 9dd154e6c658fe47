"""Requests of the tab Collection: create, run, cancel, resume, look at, download, remove."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiepoint.app.api import service_of
from tiepoint.app.collection_run import PAGE_POLICY, read_page, zip_model
from tiepoint.app.inputs import read_json
from tiepoint.app.messages import RequestError
from tiepoint.app.options import parse_choice, parse_match
from tiepoint.app.responses import download, json_response
from tiepoint.app.service import Service

PAIRS = ["exhaustive", "sequential:5", "sequential:10", "retrieval:10", "retrieval:20"]


async def create(request: Request) -> Response:
    """Create a collection and run it."""
    service = service_of(request)
    values = await read_json(request)
    return json_response(await run_in_threadpool(_create, values, service), 202)


def _create(values: dict[str, Any], service: Service) -> dict[str, Any]:
    images, folder = values.get("images") or [], values.get("folder") or ""
    limit = service.settings.limits.max_images
    if not isinstance(images, list) or not isinstance(folder, str) or bool(images) == bool(folder):
        raise RequestError("expected images or a folder", 422)
    if images and not 2 <= len(images) <= limit:
        raise RequestError(f"images: expected 2 to {limit} images, got {len(images)}", 422)
    match = parse_match(values, service.settings)
    service.models.check_present(match.preset)
    collection_id = service.collections.create(
        [service.uploads.get(each) for each in images],
        folder,
        match,
        pairs=parse_choice(values, "pairs", "exhaustive", PAIRS),
        reconstruct=parse_choice(values, "reconstruct", "yes", ["yes", "no"]) == "yes",
    )
    try:
        service.collections.start(collection_id)
    except RequestError:  # the client never gets the id, so that nobody could remove it
        service.collections.remove(collection_id)
        raise
    return service.collections.status(collection_id)


async def resume(request: Request) -> Response:
    """Run a collection again; finished work is not repeated."""
    collections, collection_id = service_of(request).collections, request.path_params["id"]
    await run_in_threadpool(collections.start, collection_id)
    return json_response(collections.status(collection_id), 202)


async def status(request: Request) -> Response:
    """Return the state of a collection."""
    collections = service_of(request).collections
    return json_response(await run_in_threadpool(collections.status, request.path_params["id"]))


async def cancel(request: Request) -> Response:
    """Stop a run; it can be resumed."""
    collections, collection_id = service_of(request).collections, request.path_params["id"]
    collections.cancel(collection_id)
    return json_response(collections.status(collection_id))


async def remove(request: Request) -> Response:
    """Remove a collection."""
    await run_in_threadpool(service_of(request).collections.remove, request.path_params["id"])
    return json_response({})


async def page(request: Request) -> Response:
    """Return the report or the 3-D view, in a sandbox."""
    out = service_of(request).collections.out(request.path_params["id"])
    text = await run_in_threadpool(read_page, out, request.path_params["page"])
    return Response(text, media_type="text/html", headers={"content-security-policy": PAGE_POLICY})


async def model(request: Request) -> Response:
    """Return the reconstruction as a ZIP file."""
    out = service_of(request).collections.out(request.path_params["id"])
    return download(await run_in_threadpool(zip_model, out), "model.zip", "application/zip")


COLLECTION_ROUTES = [
    Route("/collections", create, methods=["POST"]),
    Route("/collections/{id}", status),
    Route("/collections/{id}", cancel, methods=["DELETE"]),
    Route("/collections/{id}/run", resume, methods=["POST"]),
    Route("/collections/{id}/remove", remove, methods=["POST"]),
    Route("/collections/{id}/model.zip", model),
    Route("/collections/{id}/{page}.html", page),
]
