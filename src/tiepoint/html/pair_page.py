"""pair.html: one self-contained page with the interactive viewer of a pair."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.html.rendering import PACKAGE, render_page, viewer_script, write_page
from tiepoint.io.atomic import check_writable

SUFFIXES = (".html", ".htm")
TEMPLATE = "pair.html.jinja"


def is_page(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of a web page."""
    return Path(path).suffix.lower() in SUFFIXES


def check_page_path(path: str | os.PathLike[str]) -> Path:
    """Validate the output path of a page before starting.

    Raises:
        InvalidInput: If the suffix is not .html or .htm, or the file cannot be written.
    """
    if not is_page(path):
        raise InvalidInput(
            f"cannot write a web page to {Path(path).name!r}; use a name that ends in {SUFFIXES[0]}"
        )
    check_writable(path)
    return Path(path)


def render_pair(data: Mapping[str, Any]) -> str:
    """Render the page of a pair.

    Args:
        data: Output of `pair_data`.
    """
    names = [image["name"] for image in data["images"]]
    title = f"{names[0]} ↔ {names[1]}"
    return render_page(PACKAGE, TEMPLATE, title=title, data=dict(data), viewer_script=viewer_script())


def write_pair(data: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the page of a pair, atomically.

    Args:
        data: Output of `pair_data`.
        path: Output path, ending in .html or .htm.

    Raises:
        InvalidInput: If the suffix is not that of a page, or the file cannot be written.
    """
    return write_page(render_pair(data), check_page_path(path))
