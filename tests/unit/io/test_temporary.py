"""Temporary folders of killed runs are removed by the next one; those in use, and other people's, are not."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tiepoint.io.temporary import LOCK, MIN_AGE_S, TemporaryFolder, remove_leftovers

HOLD = """
import sys, time
from tiepoint.io.temporary import TemporaryFolder
folder = TemporaryFolder("store")
print(folder.path, flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of the system."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def leave(root: Path, name: str, *, age_s: float = 0.0, lock: bool = True) -> Path:
    """Leave a folder like a killed process does."""
    folder = root / name
    folder.mkdir()
    (folder / "shard.h5").write_bytes(b"data")
    if lock:
        (folder / LOCK).touch()
    os.utime(folder, (0, folder.stat().st_mtime - age_s))
    return folder


def test_it_is_removed_at_the_end_and_with_its_object() -> None:
    with TemporaryFolder("eval") as path:
        (path / "file").touch()
    assert not path.exists()
    owner = TemporaryFolder("store")
    path = owner.path
    assert path.name.startswith("tiepoint-store-")
    del owner
    gc.collect()
    assert not path.exists()


@pytest.mark.slow
def test_folders_of_a_killed_process_are_removed_and_those_of_a_living_one_kept() -> None:
    runs = [subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    try:
        killed, living = (Path(run.stdout.readline().strip()) for run in runs if run.stdout)
        assert killed.is_dir()
        runs[0].send_signal(signal.SIGKILL)
        runs[0].wait()
        with TemporaryFolder("store") as own:
            assert not killed.exists()
            assert living.is_dir()
            assert own.is_dir()
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_several_of_one_process_do_not_disturb_each_other() -> None:
    folders = [TemporaryFolder("store") for _ in range(3)]
    assert all(folder.path.is_dir() for folder in folders)


@pytest.mark.parametrize(
    ("name", "age_s", "lock", "is_removed"),
    [
        ("tiepoint-store-abc12345", 0, True, True),
        ("tiepoint-eval-abc12345", 0, True, True),
        ("tiepoint-store-abc12345", 0, False, False),  # just created by another process
        ("tiepoint-store-abc12345", 2 * MIN_AGE_S, False, True),
        ("tiepoint-photos-abc12345", 2 * MIN_AGE_S, True, False),
        ("my-tiepoint-store-abc", 2 * MIN_AGE_S, True, False),
        ("tiepoint-store-abc.backup", 2 * MIN_AGE_S, True, False),
    ],
)
def test_only_leftovers_of_tiepoint_are_removed(
    temporary: Path, name: str, age_s: float, lock: bool, is_removed: bool
) -> None:
    folder = leave(temporary, name, age_s=age_s, lock=lock)
    remove_leftovers(temporary)
    assert folder.exists() is not is_removed


def test_links_are_not_followed(temporary: Path) -> None:
    precious = leave(temporary, "precious")
    (temporary / "tiepoint-store-abc").symlink_to(precious)
    remove_leftovers(temporary)
    assert (precious / "shard.h5").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_folders_of_other_users_are_kept(temporary: Path) -> None:
    folder = leave(temporary, "tiepoint-store-abc")
    os.chown(folder, 65534, 65534)
    remove_leftovers(temporary)
    assert folder.exists()


def test_a_missing_temporary_folder_is_no_error(temporary: Path) -> None:
    remove_leftovers(temporary / "missing")
