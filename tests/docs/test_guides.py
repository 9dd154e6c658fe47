"""README and docs: Python blocks run, commands run, links and named files exist.

They run in a folder with three images a.jpg, b.jpg and c.jpg. For speed, extraction is limited to 256 px and 256 keypoints,
whatever the text says.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import typer
from skimage.data import stereo_motorcycle
from tests.helpers.app_server import Client, running_app
from tests.helpers.paths import DOCS, REPOSITORY
from typer.testing import CliRunner

import tiepoint
from tiepoint.app.settings import AppSettings
from tiepoint.cli import app
from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.loading import extractors

PATHS = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
PAGES = {path.relative_to(REPOSITORY).as_posix(): path for path in PATHS}
COMMAND: Any = typer.main.get_command(app)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(language: str) -> dict[str, list[str]]:
    """Blocks in this language by page; pages without any are left out."""
    found = {
        name: [text for tag, text in BLOCK.findall(path.read_text(encoding="utf-8")) if tag == language]
        for name, path in PAGES.items()
    }
    return {name: texts for name, texts in found.items() if texts}


def commands() -> list[list[str]]:
    """Arguments of every line `tiepoint …` of the bash blocks."""
    lines = [line for texts in blocks("bash").values() for text in texts for line in text.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tiepoint ")]


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub derives from the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def small_settings(*, max_keypoints: int | None, resize: int | None, **others: object) -> ExtractionSettings:
    return ExtractionSettings(
        max_keypoints=min(256, max_keypoints or 256), resize=min(256, resize or 256), **others
    )  # type: ignore[arg-type]


@pytest.fixture
def images(fast_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a stereo pair and a shifted copy, extracted at low resolution.

    `fast_bundle` is requested here because it is written once for all tests: before the settings are replaced.
    """
    monkeypatch.setattr(extractors, "ExtractionSettings", small_settings)
    monkeypatch.setitem(Extractor.preprocess_conf, "resize", 256)  # tiepoint.compat.lightglue
    left, right, _ = stereo_motorcycle()
    for name, image in (("a", left), ("b", right), ("c", np.roll(left, 20, axis=1))):
        PIL.Image.fromarray(image).resize((371, 250)).save(tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served_app() -> Iterator[Client]:
    """`tiepoint app` with real weights."""
    with running_app(AppSettings(preset="fast"), tiepoint.load) as client:
        yield client


@pytest.mark.weights
@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page, texts in blocks("python").items() for text in texts],
    ids=[f"{page}-{number}" for page, texts in blocks("python").items() for number in range(len(texts))],
)
def test_programs_run_alone(
    page: str, text: str, images: Path, fast_bundle: Path, request: pytest.FixtureRequest
) -> None:
    """Every block can be copied: it imports what it uses and names no variable of another block."""
    if '"out/"' in text and "match_collection(" not in text:  # a collection that an earlier command made
        tiepoint.match_collection(".", "out/", max_keypoints=256, resize=256)
    if '("bundle"' in text:  # written by tiepoint export
        (images / "bundle").symlink_to(fast_bundle)
    if (address := "127.0.0.1:7860") in text:  # served by tiepoint app
        text = text.replace(address, f"127.0.0.1:{request.getfixturevalue('served_app').port}")
    exec(compile(text, page, "exec"), {"__name__": "__main__"})


@pytest.mark.weights
def test_the_first_program_of_the_readme_saves_matches(images: Path) -> None:
    session: dict = {}
    exec(blocks("python")["README.md"][0], session)
    assert len(session["result"]) > 50
    assert {"matches.png", "matches.npz"} <= {path.name for path in images.iterdir()}


@pytest.mark.weights
@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_run(arguments: list[str], images: Path) -> None:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = [word for word in arguments if word.startswith("matches.")]
    assert {*written} <= {path.name for path in images.iterdir()}


def test_there_are_programs_and_commands() -> None:
    assert len(blocks("python")["README.md"]) >= 2
    assert len(commands()) >= 4


@pytest.mark.parametrize("page", PAGES)
def test_options_named_in_the_text_exist(page: str) -> None:
    """`--resize 2048` in a sentence or a table is an option of some command."""
    text = BLOCK.sub("", PAGES[page].read_text(encoding="utf-8"))
    named = {
        option
        for code in re.findall(r"`([^`]+)`", text)
        if not code.startswith(("python ", "trtexec"))  # a benchmark's own options, another program
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)
    }
    known = set().union(*map(options_of, commands_of(COMMAND)))
    assert named <= known


def commands_of(command: Any) -> Iterator[Any]:
    """Yield a command and all of its subcommands."""
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from commands_of(child)


def options_of(command: Any) -> set[str]:
    return {word for each in command.params for word in (*each.opts, *each.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_links_have_targets(page: str) -> None:
    path = PAGES[page]
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{page} links to {link}"
        assert target.is_relative_to(REPOSITORY), f"{page} links out of the repository: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: no heading for {link}"


@pytest.mark.parametrize("page", PAGES)
def test_files_named_in_the_text_exist(page: str) -> None:
    text = BLOCK.sub("", PAGES[page].read_text(encoding="utf-8"))
    paths = re.findall(r"`((?:tests|docs|benchmarks|examples|src)/[\w./-]+)`", text)
    assert [name for name in paths if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_lines_wrap_at_120(page: str) -> None:
    """Tables, images and what benchmarks render stay on one line."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    text = re.sub(r"<!-- (\w+): begin -->.*?<!-- \1: end -->", "", BLOCK.sub("", text), flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!["))]
    assert [line for line in lines if len(line) > 120] == []
