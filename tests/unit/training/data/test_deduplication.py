"""Duplicates are files with the same content, whatever their names."""

from pathlib import Path

import pytest

from tiepoint.training.data.deduplication import content_digest, drop_duplicates, duplicates_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two duplicates, another file of the same size, and one of another size."""
    for name, text in (("a", "same"), ("b", "else"), ("c", "same"), ("d", "longer")):
        (tmp_path / name).write_text(text)
    return tmp_path


def names(paths: list[Path]) -> str:
    return "".join(path.name for path in paths)


def test_first_duplicate_is_kept(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    assert names(drop_duplicates(paths)) == "abd"
    assert names(drop_duplicates(paths[::-1])) == "dcb"


def test_duplicates_are_found_under_other_names(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "x"
    other.write_text("same")
    assert names(duplicates_of([other], sorted(folder.iterdir()))) == "ac"


def test_file_is_a_duplicate_of_itself(folder: Path) -> None:
    assert names(duplicates_of([folder / "d"], sorted(folder.iterdir()))) == "d"


def test_only_files_of_the_same_size_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def digest(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    monkeypatch.setattr("tiepoint.training.data.deduplication.content_digest", digest)
    drop_duplicates(sorted(folder.iterdir()))
    assert sorted(read) == ["a", "b", "c"]
    assert names(duplicates_of([folder / "d"], [folder / "a"])) == ""
    assert sorted(read) == ["a", "b", "c"]


def test_unreadable_files_are_kept(folder: Path) -> None:
    missing = folder / "missing"
    assert drop_duplicates([missing, folder / "a", missing]) == [missing, folder / "a", missing]
    assert duplicates_of([missing, folder / "a"], [missing, folder / "c"]) == [folder / "c"]


def test_digest_depends_on_the_content(folder: Path) -> None:
    digests = [content_digest(folder / name) for name in "acb"]
    assert digests[0] == digests[1] != digests[2]
    assert all(len(digest) == 16 for digest in digests)
