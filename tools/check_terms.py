"""Check that the tracked files use the accepted terms: docs/glossary.md explains them, tools/terms.tsv lists the others.

    python tools/check_terms.py [FILE ...]

Each row of terms.tsv has four columns: a regular expression, what to write instead, a regular expression of lines in
which the term is right ("-" if none), and globs of files in which it is right ("-" if none). Patterns in lower case
ignore case. Prints one line per finding and exits with status 1 if there are any.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TERMS = Path(__file__).with_name("terms.tsv")
SUFFIXES = {".cff", ".jinja", ".md", ".py", ".pyi", ".toml", ".yaml", ".yml", ""}
SKIPPED = (
    "LICENSE",
    "packages/tiepoint-runtime/LICENSE",
    "docs/glossary.md",
    "tools/terms.tsv",
    "tests/unit/tools/test_check_terms.py",
)


@dataclass(frozen=True)
class Term:
    """A term that is not used, and its replacement."""

    pattern: re.Pattern[str]
    instead: str
    allowed_line: re.Pattern[str] | None
    allowed_files: tuple[str, ...]

    def is_in(self, line: str, file: str) -> bool:
        """Whether a line of a file uses the term where it is not allowed."""
        if not self.pattern.search(line) or any(fnmatch(file, glob) for glob in self.allowed_files):
            return False
        return not (self.allowed_line and self.allowed_line.search(line))


def read_terms(path: Path = TERMS) -> list[Term]:
    """Read terms.tsv; empty lines and lines that begin with "#" are comments."""
    rows = path.read_text(encoding="utf-8").splitlines()
    return [parse_term(row) for row in rows if row.strip() and not row.startswith("#")]


def parse_term(row: str) -> Term:
    """Parse one row of terms.tsv."""
    cells = row.split("\t")
    if len(cells) != 4:
        raise ValueError(f"expected 4 columns separated by tabs, got {len(cells)}: {row!r}")
    pattern, instead, line, files = cells
    flags = re.IGNORECASE if re.sub(r"\\[A-Za-z]", "", pattern).islower() else re.NOFLAG
    allowed_line = None if line == "-" else re.compile(line, re.IGNORECASE)
    return Term(
        re.compile(pattern, flags), instead, allowed_line, () if files == "-" else tuple(files.split())
    )


def find_terms(text: str, file: str, terms: Iterable[Term]) -> Iterator[str]:
    """Yield one message per line of the text and term found in it."""
    for number, line in enumerate(text.splitlines(), start=1):
        for term in terms:
            if term.is_in(line, file):
                (found, *_) = (match.group() for match in term.pattern.finditer(line))
                yield f"{file}:{number}: {found!r}: write {term.instead}"


def tracked_files() -> list[str]:
    """Tracked text files that the check reads."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True)
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return [name for name in names if is_checked(name) and (REPOSITORY / name).is_file()]


def is_checked(file: str) -> bool:
    """Whether the check reads this file."""
    return Path(file).suffix in SUFFIXES and file not in SKIPPED


def main(arguments: list[str]) -> int:
    """Check the given files, or all tracked ones."""
    terms = read_terms()
    files = [name for name in arguments if is_checked(name)] if arguments else tracked_files()
    found = [
        message
        for file in files
        for message in find_terms((REPOSITORY / file).read_text(encoding="utf-8"), file, terms)
    ]
    print(*found, sep="\n" if found else "")
    print(
        f"{len(found)} terms to replace in {len(files)} files"
        if found
        else f"terms: {len(files)} files checked"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
