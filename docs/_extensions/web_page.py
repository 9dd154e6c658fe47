"""The page of web/ as part of the site: `make web` builds it, and the site carries it in try/."""

import shutil
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "web" / "dist"
TAG = "web_page"


def setup(app: Any) -> dict[str, bool]:
    """Set the tag that the text depends on, and copy the page after the build."""
    if (PAGE / "index.html").is_file() and (PAGE / "models" / "index.json").is_file():
        app.tags.add(TAG)
        app.connect("build-finished", copy_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def copy_page(app: Any, exception: Exception | None) -> None:
    """Replace try/ of a site that was built without an error."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "try"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(PAGE, target)
