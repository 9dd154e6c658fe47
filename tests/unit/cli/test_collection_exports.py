"""`tiepoint collection export`, `collection view` and `localize`: options reach the library, errors are one line."""

from pathlib import Path

import pycolmap
import pytest
from tests.helpers.synthetic_collections import make_collection
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.collection.export.formats import EXPORTS
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("made"))[0].folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_formats_are_those_of_the_library() -> None:
    from tiepoint.cli.collection_exports import Format

    assert [form.value for form in Format] == list(EXPORTS)


@pytest.mark.slow
def test_several_formats_at_once(out: Path) -> None:
    printed = run("collection", "export", out, "--to", "npz", "--to", "parquet")
    assert printed.splitlines() == [
        f"npz: {out / 'exports' / 'npz'}",
        f"parquet: {out / 'exports' / 'matches.parquet'}",
    ]


def test_colmap_is_the_default_and_has_cameras(out: Path, tmp_path: Path) -> None:
    assert run("collection", "export", out, "-o", tmp_path / "d.db", "--cameras", "each", "--quiet") == ""
    with pycolmap.Database.open(str(tmp_path / "d.db")) as database:
        assert database.num_cameras() == 6


def test_one_place_cant_hold_two_formats(out: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--output"):
        run("collection", "export", out, "--to", "npz", "--to", "hloc", "-o", tmp_path)


def test_a_folder_without_a_collection_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a tiepoint collection"):
        run("collection", "export", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("export", "--to", "npz", "--to", "hloc"), ("exports/npz/pairs.jsonl", "exports/hloc/matches.h5")),
        (("export", "--to", "colmap-text", "-q"), ("exports/colmap-text/matches.txt",)),
        (("export", "--to", "parquet"), ("exports/matches.parquet",)),
        (("export",), ("colmap/database.db",)),
        (("view",), ("view.html",)),
    ],
    ids=["npz-hloc", "text", "parquet", "colmap", "view"],
)
def test_incomplete_collection_exits_with_1_after_writing(
    tmp_path: Path, arguments: tuple[str, ...], written: tuple[str, ...]
) -> None:
    folder = make_collection(tmp_path)[0].folder
    shard = next(folder.glob("stores/matches-*/matches/*.h5"))
    shard.write_bytes(shard.read_bytes()[:-100])
    result = CliRunner().invoke(app, ["collection", arguments[0], str(folder), *arguments[1:]])
    assert result.exit_code == 1
    assert result.stderr == (
        f"tiepoint: {folder} is incomplete: 1 of 15 selected pairs have no matches or features; "
        f"to compute what is missing, run: tiepoint collection verify {folder}\n"
    )
    assert all((folder / name).is_file() for name in written)


def test_incomplete_collection_is_reported_if_another_format_fails(tmp_path: Path) -> None:
    folder = make_collection(tmp_path, ["a b.jpg", "c.jpg"])[0].folder
    next(folder.glob("stores/matches-*/matches/*.h5")).unlink()
    result = CliRunner().invoke(
        app, ["collection", "export", str(folder), "--to", "npz", "--to", "colmap-text"]
    )
    assert isinstance(result.exception, InvalidInput)
    assert "1 of 1 selected pairs have no matches" in result.stderr


@pytest.mark.slow
def test_view_prints_the_path(out: Path, tmp_path: Path) -> None:
    assert run("collection", "view", out) == f"page: {out / 'view.html'}\n"
    run("collection", "view", out, "-o", tmp_path / "page.html", "--quiet")
    assert (tmp_path / "page.html").stat().st_size > 1_000_000
