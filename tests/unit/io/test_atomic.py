"""Files are written atomically; paths that are not writable fail early."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write, check_overwrites, check_writable

NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may write anywhere; as somebody else, permissions count."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody can reach; pytest's own are closed to others than their owner."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o700)


def write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def one_line(error: pytest.ExceptionInfo[InvalidInput]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_the_file_appears_with_its_content_and_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "out.txt", "content")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert (tmp_path / "out.txt").read_text() == "content"


def test_while_it_is_written_a_reader_sees_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    with atomic_write(target) as temporary:
        temporary.write_text("half of the n")
        assert target.read_text() == "old"
        assert temporary.parent == target.parent  # another file system couldn't replace at once
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_the_temporary_name_ends_like_the_target(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "out.webp") as temporary:
        assert temporary.suffix == ".webp"
        temporary.touch()


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_failed_writer_leaves_everything_as_it_was(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises((type(error), InvalidInput)):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert target.read_text() == "old"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InvalidInput, match="No space left") as error, atomic_write(tmp_path / "out.txt"):
        raise full
    assert str(tmp_path / "out.txt") in one_line(error)


class TestDurable:
    """What a power cut can't take: the file is on the disk before it has its name, and then the name is."""

    def write(self, path: Path) -> None:
        with atomic_write(path, durable=True) as temporary:
            temporary.write_text("new")

    def test_the_file_is_forced_to_the_disk_before_its_name_and_the_folder_after(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target, seen = tmp_path / "out.txt", []
        target.write_text("old")
        monkeypatch.setattr(
            os, "fsync", lambda file: seen.append((os.fstat(file).st_ino, target.read_text()))
        )
        self.write(target)
        assert seen == [(target.stat().st_ino, "old"), (tmp_path.stat().st_ino, "new")]

    def test_only_where_it_is_asked_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "fsync", lambda file: pytest.fail("forced to the disk"))
        write(tmp_path / "out.txt", "new")

    def test_what_does_not_reach_the_disk_is_not_taken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(file: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        target = tmp_path / "out.txt"
        target.write_text("old")
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(InvalidInput, match="Input/output error"):
            self.write(target)
        assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
        assert target.read_text() == "old"

    def test_a_system_that_can_not_force_folders_is_no_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(file: int) -> None:
            if os.fstat(file).st_ino == tmp_path.stat().st_ino:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(os, "fsync", fail)
        self.write(tmp_path / "out.txt")
        assert (tmp_path / "out.txt").read_text() == "new"


@pytest.mark.parametrize("check", [check_writable, lambda path: write(path, "")], ids=["check", "write"])
class TestWhatCannotBeWritten:
    def test_a_folder(self, tmp_path: Path, check) -> None:
        with pytest.raises(InvalidInput, match="is a folder") as error:
            check(tmp_path)
        assert str(tmp_path) in one_line(error)

    def test_a_missing_folder(self, tmp_path: Path, check) -> None:
        with pytest.raises(InvalidInput, match="does not exist") as error:
            check(tmp_path / "missing" / "out.txt")
        assert str(tmp_path / "missing") in one_line(error)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path, check) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InvalidInput) as error:
            check(tmp_path / "file" / "out.txt")
        one_line(error)

    def test_a_name_that_is_too_long(self, tmp_path: Path, check) -> None:
        with pytest.raises(InvalidInput) as error:
            check(tmp_path / ("a" * 300 + ".txt"))
        one_line(error)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_may_not_be_entered(self, public_folder: Path, request, check) -> None:
        closed = public_folder / "closed"
        closed.mkdir(mode=0o000)
        request.getfixturevalue("unprivileged")
        with pytest.raises(InvalidInput) as error:
            check(closed / "out.txt")
        one_line(error)


def test_a_folder_that_may_only_be_read(public_folder: Path, request: pytest.FixtureRequest) -> None:
    public_folder.chmod(0o555)
    request.getfixturevalue("unprivileged")
    with pytest.raises(InvalidInput) as error:
        write(public_folder / "out.txt", "content")
    assert str(public_folder) in one_line(error)


def test_a_writable_path_passes_and_nothing_is_made(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.txt")
    check_writable(str(tmp_path / "out.txt"))
    assert list(tmp_path.iterdir()) == []


def test_a_bare_name_means_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("out.txt"), "content")
    assert (tmp_path / "out.txt").read_text() == "content"


def test_symbolic_links_are_written_through(tmp_path: Path) -> None:
    """microsoft/terminal#10908: as for `open(path, "w")`, the target has the new content and the link stays."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "latest.json").write_text("old")
    (tmp_path / "middle").symlink_to(tmp_path / "results" / "latest.json")
    (tmp_path / "link.json").symlink_to("middle")
    write(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "results" / "latest.json").read_text() == "new"
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["latest.json"]


def test_the_target_of_a_dangling_link_is_created(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "new.txt")
    write(tmp_path / "link.txt", "content")
    assert (tmp_path / "new.txt").read_text() == "content"


def test_a_dangling_link_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "missing" / "new.txt")
    with pytest.raises(InvalidInput, match="does not exist"):
        write(tmp_path / "link.txt", "content")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    with pytest.raises(InvalidInput, match=r"loop\.txt"):
        write(tmp_path / "loop.txt", "content")


def test_a_pipe_receives_the_content(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(pipe, "content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_the_null_device_stays_a_device() -> None:
    write(Path(os.devnull), "content")
    assert Path(os.devnull).is_char_device()


def test_permissions_of_the_previous_file_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "shared.txt"
    target.write_text("old")
    target.chmod(0o664)
    write(target, "new")
    assert target.stat().st_mode & 0o777 == 0o664


class TestOverwrites:
    """mjmlio/mjml#1775: `-o` with the name of the input replaced the input."""

    @pytest.mark.parametrize(
        ("outputs", "inputs", "what"),
        [
            (["a.jpg"], ["a.jpg", "b.jpg"], "an input"),
            (["./sub/../b.jpg"], ["a.jpg", Path("b.jpg")], "an input"),
            (["link.jpg"], ["a.jpg"], "an input"),
            ([None, "out.json", Path("out.json")], ["a.jpg"], "another output"),
        ],
    )
    def test_inputs_and_other_outputs_are_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: list, inputs: list, what: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "sub").mkdir()
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / name).touch()
        (tmp_path / "link.jpg").symlink_to("a.jpg")
        with pytest.raises(InvalidInput, match=rf"{what}, too; choose another name"):
            check_overwrites(outputs, inputs)

    def test_other_files_and_devices_may_be_written(self, tmp_path: Path) -> None:
        picture = tmp_path / "matches.png"
        picture.touch()
        check_overwrites([picture, None, os.devnull, os.devnull], ["a.jpg", object(), "https://x.test/a.jpg"])
