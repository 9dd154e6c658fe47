"""What commands say was left out, after all else is done: a line each on stderr, and exit code 1."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer


def finish(problems: Sequence[str]) -> None:
    """Print problems, each once, and exit with 1 where there are some."""
    _print(problems)
    if problems:
        raise typer.Exit(1)


@contextmanager
def finishing() -> Iterator[list[str]]:
    """Hand out a list of problems; at the end of the block they are finished with, and printed where an error ends it."""
    problems: list[str] = []
    try:
        yield problems
    except BaseException:
        _print(problems)
        raise
    finish(problems)


def _print(problems: Sequence[str]) -> None:
    for problem in dict.fromkeys(problems):
        print(f"tiepoint: {problem}", file=sys.stderr)
