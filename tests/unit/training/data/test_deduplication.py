"""Copies are files of the same bytes, whatever their names."""

from pathlib import Path

import pytest

from tiepoint.training.data.deduplication import content_digest, copies_of, distinct


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two copies, one file of their size, and one of another."""
    for name, text in (("a", "same"), ("b", "else"), ("c", "same"), ("d", "longer")):
        (tmp_path / name).write_text(text)
    return tmp_path


def names(paths: list[Path]) -> str:
    return "".join(path.name for path in paths)


def test_the_first_of_copies_stays(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    assert names(distinct(paths)) == "abd"
    assert names(distinct(paths[::-1])) == "dcb"


def test_copies_are_found_under_other_names(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "x"
    other.write_text("same")
    assert names(copies_of([other], sorted(folder.iterdir()))) == "ac"


def test_a_file_is_a_copy_of_itself(folder: Path) -> None:
    assert names(copies_of([folder / "d"], sorted(folder.iterdir()))) == "d"


def test_only_files_of_one_size_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def digest(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    monkeypatch.setattr("tiepoint.training.data.deduplication.content_digest", digest)
    distinct(sorted(folder.iterdir()))
    assert sorted(read) == ["a", "b", "c"]
    assert names(copies_of([folder / "d"], [folder / "a"])) == ""
    assert sorted(read) == ["a", "b", "c"]


def test_what_can_not_be_read_is_left_to_those_who_read_it(folder: Path) -> None:
    gone = folder / "gone"
    assert distinct([gone, folder / "a", gone]) == [gone, folder / "a", gone]
    assert copies_of([gone, folder / "a"], [gone, folder / "c"]) == [folder / "c"]


def test_the_digest_is_that_of_the_content(folder: Path) -> None:
    digests = [content_digest(folder / name) for name in "acb"]
    assert digests[0] == digests[1] != digests[2]
    assert all(len(digest) == 16 for digest in digests)
