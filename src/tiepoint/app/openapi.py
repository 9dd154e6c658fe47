"""Description of the HTTP API in OpenAPI 3.1, from tables of its operations and options."""

from typing import Any

from tiepoint.app.options import MAX_KEYPOINTS, MAX_RESIZE, MAX_TOP, VIEWS
from tiepoint.geometry.verification import VERIFIERS

Schema = dict[str, Any]


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _integer(description: str, minimum: int, maximum: int, default: int) -> Schema:
    return {
        "type": "integer",
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
        "default": default,
    }


def _image(name: str, description: str) -> dict[str, Schema]:
    """Return the three fields of which a form has one."""
    return {
        name: {"type": "string", "format": "binary", "description": f"{description}: a file."},
        f"{name}_url": _text(f"{description}: http or https URL, instead of a file.", format="uri"),
        f"{name}_path": _text(f"{description}: path below the root of the server, instead of a file."),
    }


def _mask(name: str) -> dict[str, Schema]:
    about = "Mask: an image of the same size, not black where keypoints are allowed."
    return {name: {"type": "string", "format": "binary", "description": about}}


MATCHING: dict[str, Schema] = {
    "preset": _text("Name of a preset; default: the preset of the server."),
    "max_keypoints": _integer("Maximum number of keypoints per image.", 1, MAX_KEYPOINTS, 2048),
    "resize": _integer("Longer image side in px that the extractor processes.", 64, MAX_RESIZE, 1024),
    "views": _text(
        "Search over views if the images do not match as they are.", enum=list(VIEWS), default="none"
    ),
}
FORMAT: dict[str, Schema] = {
    "format": _text("Format of the answer.", enum=["json", "npz"], default="json"),
}
GEOMETRY: dict[str, Schema] = {
    "verify": _text("Two-view geometry to estimate.", enum=["none", *VERIFIERS], default="none"),
    "max_error_px": {
        "type": "number",
        "description": "Inlier threshold in px.",
        "minimum": 0.1,
        "maximum": 100,
    },
}

FORMS: dict[str, tuple[str, str, dict[str, Schema]]] = {
    "/api/match": (
        "Match two images",
        "The file of `tiepoint match --json`, or --npz: points0, points1, scores, matches, keypoints, verification.",
        {
            **_image("image0", "Image 0"),
            **_image("image1", "Image 1"),
            **_mask("mask0"),
            **_mask("mask1"),
            **MATCHING,
            **GEOMETRY,
            **FORMAT,
        },
    ),
    "/api/extract": (
        "Extract the keypoints and descriptors of an image",
        "keypoints (n, 2) in px of the upright image, scores (n,), descriptors (n, d), image_size, features.",
        {**_image("image", "Image"), **_mask("mask"), **MATCHING, **FORMAT},
    ),
    "/api/find": (
        "Rank images by the probability that they show the scene of a query",
        "The file of `tiepoint find --json`: found, an array of image, probability, same_scene, inliers, matches.",
        {
            **_image("query", "Query image"),
            "images": {
                "type": "array",
                "items": {"type": "string", "format": "binary"},
                "description": "Images to rank: files.",
            },
            "folder": _text("Folder below the root of the server whose images are ranked, instead of files."),
            "top": _integer("Number of results.", 1, MAX_TOP, 10),
            **MATCHING,
        },
    ),
}
"""Path -> summary, description of the answer, fields of the form."""

LISTS = {"/api/presets": "List the presets", "/api/limits": "Return the limits of requests"}

ERRORS = {
    "400": "An image or request is invalid.",
    "403": "The request is from a page of another site, or names a private address.",
    "408": "A time limit was exceeded.",
    "413": "A file or request is too large.",
    "422": "An option is invalid.",
    "503": "Too many jobs wait, or the weights of the preset are not on the server.",
    "507": "The storage is full.",
}


def describe_api(version: str) -> Schema:
    """Return the API as an OpenAPI document.

    Args:
        version: Version of tiepoint.
    """
    paths: Schema = {path: {"post": _operation(*row)} for path, row in FORMS.items()}
    paths |= {
        path: {"get": {"summary": text, "responses": {"200": _json("The list.")}}}
        for path, text in LISTS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tiepoint",
            "version": version,
            "description": 'Two images in, tie points out. Errors are JSON: {"error": "one line"}.',
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
    }


def _operation(summary: str, answer: str, fields: dict[str, Schema]) -> Schema:
    form = {"schema": {"type": "object", "properties": fields}}
    responses = {"200": _json(answer)} | {code: _json(text) for code, text in ERRORS.items()}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"multipart/form-data": form}},
        "responses": responses,
    }


def _json(description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
