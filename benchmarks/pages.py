"""Parts of a page that programs write: what stands between `<!-- name: begin -->` and `<!-- name: end -->`."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from timing import RECORDS

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results.md"


def parse(about: str | None) -> argparse.Namespace:
    """Read the command line of a program that renders: --records, --page and --check; `about` is its docstring."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the JSON records")
    parser.add_argument("--page", type=Path, default=RESULTS, help="the page of which a part is rewritten")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is old")
    return parser.parse_args()


def render(
    arguments: argparse.Namespace,
    name: str,
    pieces: Iterable[str],
    *,
    again: str,
    draw: Callable[[Path], None] | None = None,
) -> None:
    """Rewrite a part of a page, and its pictures; with --check only compare.

    Args:
        arguments: from `parse`. Where there is no page yet, one of this part alone is written.
        name: of the part.
        pieces: what stands between its marks.
        again: what to run where the page is old.
        draw: saves the pictures into this folder; --check needs none, and no matplotlib.
    """
    page = arguments.page.read_text() if arguments.page.exists() else "\n".join((*marks(name), ""))
    rendered = replaced(page, name, pieces)
    if arguments.check:
        stale = f"{arguments.page.name} isn't what the record says; run {again}"
        sys.exit(None if rendered == page else stale)
    arguments.page.parent.mkdir(parents=True, exist_ok=True)
    if draw is not None:
        draw(arguments.page.parent / "images")
    arguments.page.write_text(rendered)


def replaced(page: str, name: str, pieces: Iterable[str]) -> str:
    """The page with these pieces between the marks of a part."""
    begin, end = marks(name)
    before, rest = page.split(begin)
    return "\n".join((before + begin, "\n\n".join(pieces), end)) + rest.split(end)[1]


def marks(name: str) -> tuple[str, str]:
    """Between which a part stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))
