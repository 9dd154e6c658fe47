"""The page and its static files."""

from collections.abc import Callable
from importlib.resources import files

from tiepoint.app.options import available_presets
from tiepoint.app.service import Service
from tiepoint.html.rendering import read_static, render_page, viewer_script

PACKAGE = "tiepoint.app"


def render_index(service: Service) -> str:
    """Render the page.

    Args:
        service: State of the server.
    """
    settings = service.settings
    presets = [
        {"name": name, "about": about, "available": service.models.is_present(name)}
        for name, about in available_presets(settings).items()
    ]
    return render_page(
        PACKAGE,
        "templates/index.html.jinja",
        presets=presets,
        limits=settings.limits,
        has_root=settings.root is not None,
    )


def _script() -> str:
    return files(PACKAGE).joinpath("static/app.js").read_text(encoding="utf-8")


def _style() -> str:
    own = files(PACKAGE).joinpath("templates/app.css").read_text(encoding="utf-8")
    return read_static("templates/style.css") + own


STATIC: dict[str, tuple[Callable[[], str], str]] = {
    "app.js": (_script, "text/javascript"),
    "viewer.js": (viewer_script, "text/javascript"),
    "style.css": (_style, "text/css"),
}
"""Name -> function that returns the text, and the media type."""
