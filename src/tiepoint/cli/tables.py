"""Tables, formatted with rich on a terminal, and as plain text in pipes and files."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, to_stderr: bool = False) -> None:
    """Print a table; cells are never truncated in pipes and files.

    Args:
        columns: Column headers.
        rows: Rows of cells.
        to_stderr: Whether to print on stderr.
    """
    from rich.console import Console

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=400)
    console.print(make_table(columns, rows))


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """Return a table for rich's console; cells are text, not markup.

    Args:
        columns: Column headers.
        rows: Rows of cells.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            *(Text(str(cell)) for cell in row)
        )  # file names may contain markup, for example [bold].jpg
    return table
