"""Crashes: after kill -9, Ctrl-C, a full disk or bad files, the next run gives the result of an undisturbed run.

The time of the kill is random: after a number of shards and a delay, or anywhere in the run.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.helpers.crash_runs import DEADLINE, started, wait_for
from tests.helpers.small_collections import SMALL, assert_same_collections, write_image_folder

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.report.run_report import RunReport
from tiepoint.collection.run.runner import match_collection

KILLS = 6  # spread over a whole run
DISK_BYTES = 200 << 10  # less than half of the output of a run
MAX_FILE_BYTES = 12_000  # bytes; shards of features are larger
SHARDS = 30  # of the whole run: 12 of features, 9 of matches, 9 of geometry

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_folder(tmp_path_factory.mktemp("crashes") / "photos", 12)


@pytest.fixture(scope="module")
def report(photos: Path) -> RunReport:
    """Report of an undisturbed run."""
    report = match_collection(photos, photos.parent / "undisturbed", threads=1, **SMALL)
    assert len(shards(photos.parent / "undisturbed")) == SHARDS
    return report


@pytest.fixture(scope="module")
def undisturbed(report: RunReport) -> Collection:
    """Result of the undisturbed run."""
    return open_collection(report.out)


@pytest.fixture
def times() -> random.Random:
    """Random times; the same in every CI run, elsewhere with a new printed seed."""
    seed = 0 if os.environ.get("CI") else random.randrange(10**6)
    print(f"kill times from seed {seed}")
    return random.Random(seed)


def test_killed_at_random_times(
    photos: Path, report: RunReport, undisturbed: Collection, tmp_path: Path, times: random.Random
):
    seconds = report.seconds["total"] - report.seconds["load"]
    left = []
    for number in range(KILLS):
        out = tmp_path / str(number)
        with started(photos, out) as run:
            wait_for((out / "collection.json").exists, run)
            time.sleep(seconds * (number + times.random()) / KILLS)
            os.killpg(run.pid, signal.SIGKILL)
        left.append(len(shards(out)))
        complete_run(photos, out)
        assert_same_collections(open_collection(out), undisturbed)
        assert not list(out.rglob("*.damaged"))
    assert any(0 < count < SHARDS for count in left), left


def test_killed_repeatedly(photos: Path, undisturbed: Collection, tmp_path: Path, times: random.Random):
    out = tmp_path / "out"
    for _ in range(4):
        with started(photos, out) as run:
            wait_for(more_shards(out, times.randint(1, 6)), run)
            time.sleep(times.uniform(0, 0.05))
            os.killpg(run.pid, signal.SIGKILL)
    complete_run(photos, out)
    assert_same_collections(open_collection(out), undisturbed)
    assert not list(out.rglob("*.damaged"))


def test_workers_exit_when_the_main_process_is_killed(photos: Path, undisturbed: Collection, tmp_path: Path):
    out = tmp_path / "out"
    with started(photos, out, "--executor", "processes:2") as run:
        wait_for(more_shards(out, 5), run)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: is_gone(run.pid))
    complete_run(photos, out)
    assert_same_collections(open_collection(out), undisturbed)


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_interrupted(photos: Path, undisturbed: Collection, tmp_path: Path, executor: str):
    out = tmp_path / "out"
    with started(photos, out, "--executor", executor) as run:
        wait_for(more_shards(out, 14), run)
        os.killpg(run.pid, signal.SIGINT)
        _, stderr = run.communicate(timeout=DEADLINE)
        wait_for(lambda: is_gone(run.pid))
    assert run.returncode == 130
    assert "resume" in stderr
    assert "Traceback" not in stderr
    complete_run(photos, out)
    assert_same_collections(open_collection(out), undisturbed)


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_full_disk(photos: Path, undisturbed: Collection, tmp_path: Path, executor: str):
    """On a small tmpfs; where mounting is not permitted, with a file size limit, which gives a similar error."""
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(out) as make_room:
        max_file_bytes = None if make_room else MAX_FILE_BYTES
        with started(photos, out, "--executor", executor, max_file_bytes=max_file_bytes) as run:
            _, stderr = run.communicate(timeout=DEADLINE)
        assert run.returncode == 1
        (line,) = [line for line in stderr.splitlines() if line.startswith("tiepoint: ")]
        assert line.startswith("tiepoint: cannot write")
        assert ("No space left on device" if make_room else "File too large") in line
        assert "Traceback" not in stderr
        assert not list(out.rglob(".tiepoint-*"))
        assert 0 < len(shards(out)) < SHARDS or not make_room
        (make_room or (lambda: None))()
        complete_run(photos, out)
        assert_same_collections(open_collection(out), undisturbed)


def test_corrupt_file_does_not_change_the_other_results(
    photos: Path, undisturbed: Collection, tmp_path: Path
):
    mixed = tmp_path / "photos"
    mixed.mkdir()
    for path in photos.iterdir():
        (mixed / path.name).symlink_to(path)
    content = (photos / "view 6.png").read_bytes()
    (mixed / "view 6b.png").write_bytes(content[: len(content) // 2])
    complete_run(mixed, tmp_path / "out", problems=1)
    assert_same_collections(open_collection(tmp_path / "out"), undisturbed)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None] | None]:
    """Mount a disk of `DISK_BYTES` and yield a function that enlarges it; None if mounting is not permitted."""
    if not is_done("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)):
        yield None
        return

    def make_room() -> None:
        assert is_done("mount", "-o", f"remount,size={100 * DISK_BYTES}", str(folder))

    try:
        yield make_room
    finally:
        assert is_done("umount", "--lazy", str(folder))


def is_done(*command: str) -> bool:
    """Whether a command exists and succeeds."""
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True).returncode


def complete_run(photos: Path, out: Path, *, problems: int = 0) -> None:
    """Run to completion."""
    report = match_collection(photos, out, threads=1, **SMALL)
    assert len(report.problems) == problems


def shards(out: Path) -> Sequence[Path]:
    return list(out.glob("stores/*/*/*.h5"))


def more_shards(out: Path, count: int) -> Callable[[], bool]:
    """Condition: this many more shards than now, or all."""
    wanted = min(len(shards(out)) + count, SHARDS)
    return lambda: len(shards(out)) >= wanted


def is_gone(group: int) -> bool:
    """Whether all processes of a group have exited."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return False
    return True
