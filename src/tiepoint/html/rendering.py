"""Self-contained pages from jinja2 templates (`*.html.jinja`), and atomic writing of pages."""

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tiepoint.io.atomic import atomic_write

PACKAGE = "tiepoint.html"
SHARED = "templates"  # folder of the base page and the style
BUNDLE = "static/viewer.js"


def render_page(package: str, template: str, **values: Any) -> str:
    """Render a template; all values are escaped unless they are marked as safe.

    Args:
        package: Dotted name of the package that contains the template. The templates of tiepoint.html, such as
            `base.html.jinja`, can be extended and included.
        template: File name of the template.
        **values: Values of the template's variables; a missing one is an error.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader(PACKAGE, SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values) + "\n"


def viewer_script() -> str:
    """Return the viewer's JavaScript, which defines `TiepointViewer`; it contains no "</script"."""
    return read_static(BUNDLE)


@cache
def read_static(name: str) -> str:
    """Return a text file of the package tiepoint.html, such as a script.

    Args:
        name: Path of the file in the package.
    """
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page, atomically; file names that are not Unicode are written with escapes.

    Args:
        text: Page to write.
        path: Output path.

    Returns:
        The path.

    Raises:
        InvalidInput: If the file cannot be written; no partial file is left.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Path(path)
