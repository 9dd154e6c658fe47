"""Folders are replaced by finished content only, whatever happens to the writer."""

import os
import shutil
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.folders import file_sizes, paths_below, replace_folder, restore_folder, staged_files


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def make_folder(path: Path, *files: str) -> Path:
    for file in files:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(file)
    return path


def test_sizes_of_a_folder_that_another_thread_empties(tmp_path: Path) -> None:
    """Listing goes on without what disappears: seen as an answer 500 of the web application."""
    make_folder(tmp_path, *(f"jobs/{number}/result.json" for number in range(20)))
    sizes = file_sizes(tmp_path)
    assert next(sizes) == len("jobs/0/result.json")
    shutil.rmtree(tmp_path / "jobs")
    assert list(sizes) == []


def test_files_removed_after_they_were_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, "a", "bb", "c/ddd")
    lstat = Path.lstat

    def removed(path: Path) -> os.stat_result:
        if path.name == "bb":
            path.unlink()
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", removed)
    assert sorted(file_sizes(tmp_path)) == [1, len("c/ddd")]


def test_sizes_count_no_links_and_no_folders(tmp_path: Path) -> None:
    make_folder(tmp_path, "a", "b/c")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert sorted(file_sizes(tmp_path)) == [1, 3]
    assert sorted(path.name for path in paths_below(tmp_path)) == ["a", "b", "c", "link"]
    assert list(file_sizes(tmp_path / "missing")) == []


@pytest.mark.parametrize("moment", ["the former one is away", "the new one stands"])
def test_killed_while_replacing_a_folder(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill leaves the state before or after a rename."""
    path = make_folder(tmp_path / "sparse", "0/old")
    rename = Path.rename

    def killed(source: Path, target: Path) -> Path:
        before = target == path and moment == "the former one is away"
        if not before:
            rename(source, target)
        if target == path:
            raise KeyboardInterrupt
        return target

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            replace_folder(make_folder(tmp_path / "new", "new"), path)
    restore_folder(path)
    assert names(path) == (["0/old"] if moment == "the former one is away" else ["new"])
    replace_folder(make_folder(tmp_path / "newest", "newest"), path)
    assert [entry.name for entry in tmp_path.iterdir() if "former" in entry.name] == []
    assert names(path) == ["newest"]


def test_a_new_folder(tmp_path: Path) -> None:
    replace_folder(make_folder(tmp_path / "new", "a"), tmp_path / "sparse")
    assert [path.name for path in tmp_path.iterdir()] == ["sparse"]


def test_staged_files_replace_those_of_the_same_names(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out", "a", "sub/b", "mine/notes.txt")
    with staged_files(folder) as staging:
        make_folder(staging, "sub/b", "c")
        (staging / "sub/b").write_text("new")
        assert (folder / "sub/b").read_text() == "sub/b"
    assert names(folder) == ["a", "c", "mine/notes.txt", "sub/b"]
    assert (folder / "sub/b").read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_failure_keeps_all_former_files(tmp_path: Path, error: type[BaseException]) -> None:
    folder = make_folder(tmp_path / "out", "a", "sub/b")

    def fail() -> None:
        with staged_files(folder) as staging:
            (staging / "a").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == ["out/a", "out/sub/b"]
    assert (folder / "a").read_text() == "a"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot write to"), staged_files(tmp_path / "missing"):
        pass
