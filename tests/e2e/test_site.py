"""The documentation site as built: links, anchors, images, reference, search, accessibility; nothing from elsewhere."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from sphinx.util.inventory import InventoryFile
from tests.helpers.browser_pages import Open, serious_violations
from tests.helpers.html_pages import HtmlPage
from tests.helpers.paths import DOCS, REPOSITORY, SOURCE

import tiepoint
from tiepoint.cli import app

pytestmark = pytest.mark.slow

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
TYPICAL = [
    "index",
    "how-to/estimate-geometry",
    "reference/weights",
    "explanation/adaptive-inference",
    "faq",
]
PACKAGE = SOURCE / "tiepoint"


def public_names(package: Path) -> list[str]:
    """Names that a package lists in its stub or in `__all__`, read without importing torch."""
    stub = package / "__init__.pyi"
    for node in ast.parse(
        (stub if stub.exists() else package / "__init__.py").read_text(encoding="utf-8")
    ).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return ast.literal_eval(value)
    return [
        alias.name
        for node in ast.parse(stub.read_text(encoding="utf-8") if stub.exists() else "").body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


LISTING = [path.parent for path in sorted(PACKAGE.glob("*/**/__init__.py")) if public_names(path.parent)]
"""Packages that list their public names."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors as `make docs` does."""
    root = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--nitpicky", "-d", str(root / "doctrees")]
    build = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(root / "docs" / "latest")]
    done = subprocess.run(build, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    versions = [sys.executable, "tools/docs_versions.py", str(root / "docs")]
    subprocess.run(versions, check=True, cwd=REPOSITORY)
    return root / "docs" / "latest"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, HtmlPage]:
    return {path: HtmlPage(path) for path in sorted(site.parent.rglob("*.html"))}


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """Names that the reference documents."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}


def broken_links(page: HtmlPage, pages: dict[Path, HtmlPage]) -> list[str]:
    """Links of a page to a file or an anchor that does not exist."""
    return [link for link in page.links if not is_external(link) and not has_target(page, link, pages)]


def is_external(link: str) -> bool:
    return link.startswith(("http://", "https://", "mailto:"))


def has_target(page: HtmlPage, link: str, pages: dict[Path, HtmlPage]) -> bool:
    file, _, anchor = unquote(link).partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if target not in pages:
        return target.is_file() and not anchor
    return not anchor or anchor in pages[target].anchors


def test_every_link_has_a_target(pages: dict[Path, HtmlPage]) -> None:
    broken = {path.name: links for path, page in pages.items() if (links := broken_links(page, pages))}
    assert broken == {}
    assert sum(len(page.links) for page in pages.values()) > 5000


def test_broken_links_are_found(pages: dict[Path, HtmlPage], site: Path) -> None:
    page = pages[site / "index.html"]
    links = [
        "nowhere.html",
        "results.html#nowhere",
        "#nowhere",
        "results.html#rotation",
        "https://example.org/x",
    ]
    broken = [link for link in links if not is_external(link) and not has_target(page, link, pages)]
    assert broken == links[:3]


def test_every_image_has_an_alternative_text(pages: dict[Path, HtmlPage]) -> None:
    assert {path.name: page.without_alt for path, page in pages.items() if page.without_alt} == {}


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, HtmlPage]) -> None:
    loaded = {source for page in pages.values() for source in page.loaded}
    assert len(loaded) > 10
    assert {source for source in loaded if "//" in source} == set()


def test_every_public_name_is_in_the_reference(documented: set[str]) -> None:
    assert {f"tiepoint.{name}" for name in public_names(PACKAGE)} - documented == set()


@pytest.mark.parametrize("package", LISTING, ids=lambda path: path.name)
def test_every_public_name_of_a_package_is_in_the_reference(package: Path, documented: set[str]) -> None:
    places = "tiepoint", ".".join(package.relative_to(SOURCE).parts)
    missing = [
        name for name in public_names(package) if not {f"{place}.{name}" for place in places} & documented
    ]
    assert missing == []


def test_names_are_those_of_the_package() -> None:
    modules = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(public_names(PACKAGE)) == set(tiepoint.__all__) - modules - {"__version__"}
    assert len(LISTING) > 8


def test_every_command_is_in_the_reference(pages: dict[Path, HtmlPage], site: Path) -> None:
    anchors = pages[site / "reference" / "cli.html"].anchors
    commands = list(command_names(typer.main.get_command(app), "tiepoint"))
    assert len(commands) > 15
    assert [name for name in commands if name.replace(" ", "-") not in anchors] == []


def command_names(command: Any, name: str) -> Any:
    """Yield the names of all commands that are not groups."""
    children = {key: child for key, child in getattr(command, "commands", {}).items() if not child.hidden}
    for key, child in children.items():
        yield from command_names(child, f"{name} {key}")
    if not children:
        yield name


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", TYPICAL)
def test_pages_are_accessible_and_fit(name: str, viewport: dict, site: Path, open_page: Open) -> None:
    page = open_page(site / f"{name}.html", "document.body", viewport=viewport)
    assert serious_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_dark_colors_are_accessible(site: Path, open_page: Open) -> None:
    page = open_page(site / "index.html", "document.body", viewport=WIDE, color_scheme="dark")
    assert serious_violations(page) == []


def test_search_works_without_a_server(site: Path, open_page: Open) -> None:
    page = open_page(site / "search.html", "document.body", viewport=WIDE)
    page.goto((site / "search.html").as_uri() + "?q=homography")
    # Sphinx adds one result after the other
    page.get_by_role("link", name="Estimate geometry", exact=True).first.wait_for(state="attached")
    found = page.locator("#search-results li a").all_inner_texts()
    assert "Estimate geometry" in found
