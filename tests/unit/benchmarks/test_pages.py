"""Parts of pages: only the part between the marks changes, text is wrapped, tables are not."""

import argparse
from pathlib import Path

import pytest
from benchmarks.pages import origin, render, replace_part, require_record, table, wrap

PAGE = "before\n<!-- speed: begin -->\nold\n<!-- speed: end -->\nafter\n"
ABOUT = {
    "command": "python -m benchmarks speed",
    "date": "2026-11-22",
    "runs": 3,
    "machine": {"processor": "Fast One", "threads": 2},
    "versions": {"torch": "2.9"},
}


def arguments(page: Path, *, check: bool = False) -> argparse.Namespace:
    return argparse.Namespace(page=page, check=check, records=page.parent)


def test_only_the_part_between_the_marks_changes() -> None:
    expected = "before\n<!-- speed: begin -->\none\n\ntwo\n<!-- speed: end -->\nafter\n"
    assert replace_part(PAGE, "speed", ["one", "two"]) == expected


def test_missing_page_is_created_with_its_plots(tmp_path: Path) -> None:
    folders = []
    render(arguments(tmp_path / "new.md"), "speed", ["text"], command="make bench", draw=folders.append)
    assert (tmp_path / "new.md").read_text() == "<!-- speed: begin -->\ntext\n<!-- speed: end -->\n"
    assert folders == [tmp_path / "images"]


def test_check_finds_an_outdated_page_and_writes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(SystemExit, match="run: make bench"):
        render(arguments(page, check=True), "speed", ["new"], command="make bench")
    assert page.read_text() == PAGE
    render(arguments(page, check=True), "speed", ["old"], command="make bench")


def test_missing_record_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"speed\.json not found .*make bench"):
        require_record(tmp_path, "speed.json", "make bench")


def test_text_is_wrapped_but_not_code_tables_headings_and_pictures() -> None:
    code = f"`{'word ' * 30}`"
    lines = wrap("word " * 40 + code).splitlines()
    assert max(map(len, lines[:-1])) <= 120
    assert lines[-1] == code
    for kept in (table(["a" * 80, "b" * 80], []), "# " + "word " * 40, "![" + "word " * 40 + "](a.png)"):
        assert wrap(kept) == kept


def test_origin_names_command_machine_and_versions() -> None:
    start = "Command: `python -m benchmarks speed`, 2026-11-22"
    record = {"about": ABOUT}
    assert origin(record) == f"{start}, Fast One, threads: 2, runs: 3; torch 2.9."
    assert origin(record, machine=False, runs=False) == f"{start}; torch 2.9."
    assert origin(record, runs=False, versions=False) == f"{start}, Fast One, threads: 2."
