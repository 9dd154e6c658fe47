"""Problems of a run (for example skipped images): printed at the end, one line each, with exit status 1."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from tiepoint.cli.flags import print_problem


def finish(problems: Sequence[str]) -> None:
    """Print distinct problems, and exit with status 1 if there are any."""
    _print(problems)
    if problems:
        raise typer.Exit(1)


@contextmanager
def finishing() -> Iterator[list[str]]:
    """Yield a list for problems; call `finish` at the end of the block, or print them if it raises."""
    problems: list[str] = []
    try:
        yield problems
    except BaseException:
        _print(problems)
        raise
    finish(problems)


def _print(problems: Sequence[str]) -> None:
    for problem in dict.fromkeys(problems):
        print_problem(problem)
