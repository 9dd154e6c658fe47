"""The HTTP API for programs: one request with images in, one answer with the result out; docs/how-to/app.md."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiepoint import __version__
from tiepoint.app.inputs import add_file_part, image_of_form, mask_of_form, read_form, texts_of_form
from tiepoint.app.jobs import FINISHED, Job
from tiepoint.app.messages import RequestError
from tiepoint.app.openapi import describe_api
from tiepoint.app.options import (
    MAX_TOP,
    available_presets,
    parse_choice,
    parse_geometry,
    parse_integer,
    parse_match,
)
from tiepoint.app.pairs import PairRequest, match_pair, rasterize_mask
from tiepoint.app.responses import download, json_response
from tiepoint.app.search import ReadImage, SearchRequest, from_folder, from_uploads, rank_images
from tiepoint.app.service import Service
from tiepoint.app.uploads import Upload
from tiepoint.io.serialization import write_arrays

POLL_S = 0.02
FORMATS = ["json", "npz"]


def service_of(request: Request) -> Service:
    """Return the state of the server."""
    return request.app.state.service


async def match(request: Request) -> Response:
    """Match two images."""
    service = service_of(request)
    async with _Form(request, service) as form:
        values = texts_of_form(form.data)
        pair = PairRequest(
            images=(await form.image("image0"), await form.image("image1")),
            masks=(
                await mask_of_form(form.data, "mask0", service),
                await mask_of_form(form.data, "mask1", service),
            ),
            match=parse_match(values, service.settings),
            geometry=parse_geometry(values),
        )
        suffix = parse_choice(values, "format", "json", FORMATS)

        def work(job: Job) -> dict[str, Any]:
            result, estimate, _ = match_pair(pair, job, service.uploads, service.models)
            result.save(job.folder / f"result.{suffix}", estimate, result.verify())
            return {}

        return await _answer(request, form, service.submit("match", work, pair.images), suffix)


async def extract(request: Request) -> Response:
    """Extract the keypoints of an image."""
    service = service_of(request)
    async with _Form(request, service) as form:
        values = texts_of_form(form.data)
        image = await form.image("image")
        mask = await mask_of_form(form.data, "mask", service)
        options = parse_match(values, service.settings)
        suffix = parse_choice(values, "format", "json", FORMATS)

        def work(job: Job) -> dict[str, Any]:
            with job.progress("extract", None):
                matcher = service.models.matcher(options)
                pixels = service.uploads.read(image)
                allowed = rasterize_mask(mask, pixels, "mask", service.settings.limits)
                features = matcher.extract(pixels, mask=allowed)
                arrays = {
                    name: getattr(features, name).cpu().numpy()
                    for name in ("keypoints", "scores", "descriptors")
                }
                values = {**arrays, "image_size": list(features.image_size), "features": features.kind}
                write_arrays(values, job.folder / f"result.{suffix}")
            return {}

        return await _answer(request, form, service.submit("extract", work, [image]), suffix)


async def find(request: Request) -> Response:
    """Rank images by the probability that they show the scene of a query."""
    service = service_of(request)
    async with _Form(request, service) as form:
        values = texts_of_form(form.data)
        search = SearchRequest(
            query=await form.image("query"),
            candidates=await _candidates(form, values, service),
            top=parse_integer(values, "top", 10, 1, MAX_TOP),
            match=parse_match(values, service.settings),
        )

        def work(job: Job) -> dict[str, Any]:
            ranking, _ = rank_images(search, job, service.uploads, service.models)
            write_arrays(ranking.to_dict(), job.folder / "result.json")
            return {}

        return await _answer(request, form, service.submit("find", work, form.uploads), "json")


async def _candidates(form: "_Form", values: Mapping[str, str], service: Service) -> list[ReadImage]:
    images = await form.images("images")
    if bool(images) == bool(values.get("folder")):
        raise RequestError("expected either images (files) or folder (a path below the root)", 422)
    if images:
        return from_uploads(images, service.uploads)
    limit = service.settings.limits.max_images
    return from_folder(values["folder"], service.root, service.uploads, limit)


async def presets(request: Request) -> Response:
    """List the presets."""
    service = service_of(request)
    rows = available_presets(service.settings)
    return json_response(
        [
            {"name": name, "about": about, "available": service.models.is_present(name)}
            for name, about in rows.items()
        ]
    )


async def limits(request: Request) -> Response:
    """Return the limits of requests."""
    values = service_of(request).settings.limits
    return json_response({name: getattr(values, name) for name in values.__slots__})


async def openapi(request: Request) -> Response:
    """Return the description of the API."""
    return json_response(describe_api(__version__))


API_ROUTES = [
    Route("/api/match", match, methods=["POST"]),
    Route("/api/extract", extract, methods=["POST"]),
    Route("/api/find", find, methods=["POST"]),
    Route("/api/presets", presets),
    Route("/api/limits", limits),
    Route("/openapi.json", openapi),
]


class _Form:
    """The form of a request; its images are removed at the end."""

    def __init__(self, request: Request, service: Service) -> None:
        self._request = request
        self._service = service
        self.uploads: list[Upload] = []

    async def __aenter__(self) -> "_Form":
        self.data = await read_form(self._request, self._service)
        return self

    async def image(self, name: str) -> Upload:
        """Return an image of the form."""
        upload = await image_of_form(self.data, name, self._service)
        self.uploads.append(upload)
        return upload

    async def images(self, name: str) -> list[Upload]:
        """Return the files that the form has under a name."""
        parts = [part for part in self.data.getlist(name) if isinstance(part, UploadFile)]
        for part in parts:
            self.uploads.append(await add_file_part(part, self._service))
        return self.uploads[len(self.uploads) - len(parts) :]

    async def __aexit__(self, *_: object) -> None:
        await self.data.close()
        for upload in self.uploads:
            self._service.uploads.remove(upload.id)


async def _answer(request: Request, form: _Form, job: Job, suffix: str) -> Response:
    """Wait for a job and return its file; cancel it if the program has gone."""
    try:
        await form.data.close()  # the files of the form are not kept while the job waits
        await wait_for(request, job)
        if job.state != "done":
            raise RequestError(job.error or "the job was canceled", job.status if job.error else 503)
        content = (job.folder / f"result.{suffix}").read_bytes()
    finally:
        job.cancel()
        service_of(request).queue.remove(job)
    if suffix == "npz":
        return download(content, "result.npz", "application/octet-stream")
    return Response(content, media_type="application/json")


async def wait_for(request: Request, job: Job) -> None:
    """Wait until a job is finished, or the client has gone."""
    while job.state not in FINISHED:
        await asyncio.sleep(POLL_S)
        if await request.is_disconnected():
            job.cancel()
            await asyncio.to_thread(job.is_finished.wait, 60)
            return
