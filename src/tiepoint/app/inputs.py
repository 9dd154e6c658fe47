"""Images of a request: a body, a part of a form, a URL, or a path below the root; each becomes an upload."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from tiepoint.app.messages import RequestError
from tiepoint.app.pairs import Mask
from tiepoint.app.service import Service
from tiepoint.app.uploads import Upload, clean_name
from tiepoint.app.urls import fetch

MAX_FIELDS = 50  # of a form, besides files
MAX_FIELD_BYTES = 100_000
MAX_JSON_MB = 1.0


async def add_body(request: Request, service: Service) -> Upload:
    """Keep the image in the body of a request.

    Raises:
        RequestError: If it exceeds the limit of a file.
        InvalidInput: If it is not an image.
    """
    async with service.receiving:
        content = await _read_stream(request, service.settings.limits.max_upload_mb)
        async with service.reading:
            name = request.query_params.get("name", "image")
            return await run_in_threadpool(service.uploads.add, content, name)


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        RequestError: If the body is not a JSON object.
    """
    try:
        value = json.loads(await _read_stream(request, MAX_JSON_MB))
    except (ValueError, RecursionError) as error:
        raise RequestError("expected a JSON object in the body of the request") from error
    if not isinstance(value, dict):
        raise RequestError(f"expected a JSON object, got {type(value).__name__}")
    return value


async def read_form(request: Request, service: Service) -> FormData:
    """Return the form of a request.

    Raises:
        RequestError: If it is not a form, or is damaged.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RequestError("expected multipart/form-data; send images as files of a form", 415)
    limits = service.settings.limits
    async with request.app.state.forms:
        try:
            return await request.form(
                max_files=limits.max_images + 4, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
            )
        except ValueError as error:  # of python-multipart, which older versions of starlette pass on
            raise RequestError("cannot read the form: invalid multipart/form-data") from error


async def add_from_url(url: str, service: Service) -> Upload:
    """Download an image.

    Raises:
        RequestError: If the URL is invalid, private, or cannot be downloaded.
        InvalidInput: If the file is not an image.
    """
    limits = service.settings.limits
    async with service.receiving:
        content = await run_in_threadpool(
            fetch,
            url,
            max_bytes=int(limits.max_upload_mb * 1e6),
            timeout_s=limits.download_timeout_s,
            allow_local=service.settings.allow_local_urls,
        )
        name = clean_name(url.partition("?")[0].partition("#")[0])
        async with service.reading:
            return await run_in_threadpool(service.uploads.add, content, name)


async def add_from_root(path: str, service: Service) -> Upload:
    """Use an image below the root.

    Raises:
        RequestError: If there is no such image.
        InvalidInput: If the file is not an image.
    """
    async with service.reading:
        return await run_in_threadpool(lambda: service.uploads.add_file(service.root.image(path), path))


async def image_of_form(form: FormData, name: str, service: Service) -> Upload:
    """Return the image that a form has as NAME (a file), NAME_url or NAME_path.

    Raises:
        RequestError: If the form has none, or several.
        InvalidInput: If it is not an image.
    """
    given = [key for key in (name, f"{name}_url", f"{name}_path") if form.get(key)]
    if len(given) != 1:
        raise RequestError(
            f"expected one of {name} (a file), {name}_url and {name}_path, got {len(given)}", 422
        )
    value = form[given[0]]
    if isinstance(value, UploadFile):
        if given[0] == name:
            return await add_file_part(value, service)
    elif given[0] == f"{name}_url":
        return await add_from_url(value, service)
    elif given[0] == f"{name}_path":
        return await add_from_root(value, service)
    raise RequestError(f"{given[0]}: expected {'a file' if given[0] == name else 'text'}", 422)


async def add_file_part(part: UploadFile, service: Service) -> Upload:
    """Keep a file of a form.

    Raises:
        RequestError: If it is too large.
        InvalidInput: If it is not an image.
    """
    async with service.reading:
        content = await _read_part(part, service)
        return await run_in_threadpool(service.uploads.add, content, part.filename or "image")


async def mask_of_form(form: FormData, name: str, service: Service) -> Mask | None:
    """Return the mask that a form has as a file; None if it has none.

    Raises:
        RequestError: If it is not a file, or too large.
    """
    value = form.get(name)
    if value is None:
        return None
    if not isinstance(value, UploadFile):
        raise RequestError(
            f"{name}: expected a file, an image that is not black where keypoints are allowed", 422
        )
    return Mask(content=await _read_part(value, service))


def texts_of_form(form: FormData) -> Mapping[str, str]:
    """Return the options of a form."""
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _read_part(part: UploadFile, service: Service) -> bytes:
    limit = service.settings.limits.max_upload_mb
    if (part.size or 0) > limit * 1e6:
        raise RequestError(
            f"{clean_name(part.filename or 'image')!r} exceeds the limit of {limit:g} MB; "
            "save it with a higher compression",
            413,
        )
    return await part.read()


async def _read_stream(request: Request, limit_mb: float) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit_mb * 1e6:
            raise RequestError(f"the upload exceeds the limit of {limit_mb:g} MB; send less", 413)
    return bytes(content)
