"""Tables for people: aligned columns, whole cells, text as it is."""

import pytest

from tiepoint.cli.tables import print_table

ROWS = [("first", 1), ("a much longer name", 12345)]


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "number"), ROWS)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    column = lines[0].index("number")
    assert [line[column:].strip() for line in lines if line[column - 1] == " "] == ["number", "1", "12345"]


def test_a_pipe_gets_whole_cells_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 30 + "end"
    print_table(("name", "text"), [("first", long)])
    assert any(
        line.startswith("first") and line.rstrip().endswith(long)
        for line in capsys.readouterr().out.splitlines()
    )


@pytest.mark.parametrize("cell", ["[red]", "[bold]x[/bold]", "[/bold]", ":heart:", "a[0]"])
def test_cells_are_text_not_markup(cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [(cell,)])
    assert cell in capsys.readouterr().out


def test_it_goes_where_it_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [("first",)], to_stderr=True)
    out, err = capsys.readouterr()
    assert (out, "first" in err) == ("", True)
