"""Rendered parts of documentation pages, between `<!-- name: begin -->` and `<!-- name: end -->`."""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.paths import DOCS, RECORDS
from benchmarks.records import Record, read_record

RESULTS = DOCS / "results.md"
LINE_LENGTH = 120


def add_page_arguments(parser: argparse.ArgumentParser, page: Path = RESULTS) -> None:
    """Add the options that all renderers share: --records, --page and --check."""
    parser.add_argument("--records", type=Path, default=RECORDS, help="Folder of the JSON records.")
    parser.add_argument(
        "--page",
        type=Path,
        default=page,
        help="Page to update; a missing one is created with this part only.",
    )
    parser.add_argument(
        "--check", action="store_true", help="Write nothing; exit with status 1 if the page is out of date."
    )


def require_record(folder: Path, name: str, command: str) -> Record:
    """Read a record; exit with the command that measures it if there is none."""
    record = read_record(folder, name)
    if record is None:
        sys.exit(f"{name} not found in {folder}; run: {command}")
    return record


def render(
    arguments: argparse.Namespace,
    name: str,
    paragraphs: Iterable[str],
    *,
    command: str,
    draw: Callable[[Path], object] | None = None,
) -> None:
    """Update a part of a page, and its plots; with --check only compare.

    Args:
        arguments: Parsed options of `add_page_arguments`.
        name: Name of the part.
        paragraphs: Content of the part.
        command: Command that updates the page, for the error message.
        draw: Function that saves the plots into a folder; not called with --check, which needs no matplotlib.
    """
    page = arguments.page.read_text() if arguments.page.exists() else "\n".join((*marks(name), ""))
    rendered = replace_part(page, name, paragraphs)
    if arguments.check:
        if rendered != page:
            sys.exit(f"{arguments.page.name} is out of date; run: {command}")
        return
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    if draw is not None:
        draw(arguments.page.parent / "images")
    arguments.page.write_text(rendered)


def replace_part(page: str, name: str, paragraphs: Iterable[str]) -> str:
    """Return the page with the paragraphs between the marks of a part."""
    begin, end = marks(name)
    before, rest = page.split(begin)
    content = "\n\n".join(map(wrap, paragraphs))
    return "\n".join((before + begin, content, end)) + rest.split(end)[1]


def wrap(paragraph: str) -> str:
    """Wrap a paragraph of text, but not within code; tables, headings and pictures are kept."""
    if paragraph.startswith(("|", "#", "!")):
        return paragraph
    protected = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), paragraph)
    wrapped = textwrap.fill(protected, LINE_LENGTH, break_long_words=False, break_on_hyphens=False)
    return wrapped.replace("\0", " ")


def marks(name: str) -> tuple[str, str]:
    """Return the marks around a part."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is left-aligned, the others are right-aligned."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def origin(record: Record, *, machine: bool = True, runs: bool = True, versions: bool = True) -> str:
    """Return one sentence with the command, date, machine and versions of a record."""
    about = record["about"]
    parts = [f"Command: `{about['command']}`, {about['date']}"]
    if machine:
        parts += [about["machine"]["processor"], f"threads: {about['machine']['threads']}"]
    if runs and "runs" in about:
        parts.append(f"runs: {about['runs']}")
    return ", ".join(parts) + (f"; {format_versions(about['versions'])}." if versions else ".")


def format_versions(versions: Mapping[str, str]) -> str:
    """Return names and versions of packages as a list in a sentence."""
    return ", ".join(f"{name} {number}" for name, number in versions.items())
