"""Answers: JSON, files, and errors as one line of JSON without paths."""

import json
import logging
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tiepoint.app.messages import INTERNAL, public_message, status_of

logger = logging.getLogger(__name__)


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    text = json.dumps(value, allow_nan=False, default=_to_plain)
    return Response(text, status, media_type="application/json")


def download(content: bytes | str, name: str, media_type: str) -> Response:
    """Return a file that a browser saves.

    Args:
        content: Content of the file.
        name: File name.
        media_type: Media type of the content.
    """
    disposition = f"attachment; filename*=UTF-8''{urllib.parse.quote(name)}"
    headers = {"content-disposition": disposition, "content-security-policy": "sandbox; default-src 'none'"}
    return Response(content, media_type=media_type, headers=headers)


async def error_response(request: Request, error: Exception) -> Response:
    """Return an error as JSON: one line, without paths and without a traceback.

    Args:
        request: Request that failed.
        error: The error.
    """
    if isinstance(error, HTTPException):  # of the framework: unknown address, wrong method, broken form
        text = error.detail if error.status_code < 500 else INTERNAL
        return json_response({"error": text}, error.status_code)
    if status_of(error) >= 500:
        logger.warning("%s failed: %s", request.url.path, error)
    return json_response({"error": public_message(error)}, status_of(error))


def _to_plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)
