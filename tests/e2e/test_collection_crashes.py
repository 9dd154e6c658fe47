"""Whatever ends a run, the next one ends with what an undisturbed one gives: kill -9, Ctrl-C, a full disk, bad files.

When a run is killed is drawn from a seed: after so many shards and a moment, or anywhere between its begin and its end.
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
DISK_BYTES = 200 << 10  # less than half of what a run leaves
LARGEST_FILE = 12_000  # bytes; shards of features are larger
SHARDS = 30  # of the whole run: 12 of features, 9 of matches, 9 of geometry

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image_folder(tmp_path_factory.mktemp("crashes") / "photos", 12)


@pytest.fixture(scope="module")
def report(photos: Path) -> RunReport:
    """Of a run that nothing happens to."""
    report = match_collection(photos, photos.parent / "undisturbed", threads=1, **SMALL)
    assert len(shards(photos.parent / "undisturbed")) == SHARDS
    return report


@pytest.fixture(scope="module")
def undisturbed(report: RunReport) -> Collection:
    """What it gives."""
    return open_collection(report.out)


@pytest.fixture
def moments() -> random.Random:
    """CI repeats the same moments; elsewhere every run draws others, and says of which seed where it fails."""
    seed = 0 if os.environ.get("CI") else random.randrange(10**6)
    print(f"moments are drawn from seed {seed}")
    return random.Random(seed)


def test_killed_anywhere_between_begin_and_end(
    photos: Path, report: RunReport, undisturbed: Collection, tmp_path: Path, moments: random.Random
):
    seconds = report.seconds["total"] - report.seconds["load"]
    left = []
    for number in range(KILLS):
        out = tmp_path / str(number)
        with started(photos, out) as run:
            wait_for((out / "collection.json").exists, run)
            time.sleep(seconds * (number + moments.random()) / KILLS)
            os.killpg(run.pid, signal.SIGKILL)
        left.append(len(shards(out)))
        go_on(photos, out)
        assert_same_collections(open_collection(out), undisturbed)
        assert not list(out.rglob("*.damaged"))
    assert any(0 < count < SHARDS for count in left), left


def test_killed_again_and_again(
    photos: Path, undisturbed: Collection, tmp_path: Path, moments: random.Random
):
    out = tmp_path / "out"
    for _ in range(4):
        with started(photos, out) as run:
            wait_for(more_shards(out, moments.randint(1, 6)), run)
            time.sleep(moments.uniform(0, 0.05))
            os.killpg(run.pid, signal.SIGKILL)
    go_on(photos, out)
    assert_same_collections(open_collection(out), undisturbed)
    assert not list(out.rglob("*.damaged"))


def test_workers_end_when_the_first_process_is_killed(photos: Path, undisturbed: Collection, tmp_path: Path):
    out = tmp_path / "out"
    with started(photos, out, "--executor", "processes:2") as run:
        wait_for(more_shards(out, 5), run)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: is_gone(run.pid))
    go_on(photos, out)
    assert_same_collections(open_collection(out), undisturbed)


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_interrupted(photos: Path, undisturbed: Collection, tmp_path: Path, executor: str):
    out = tmp_path / "out"
    with started(photos, out, "--executor", executor) as run:
        wait_for(more_shards(out, 14), run)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=DEADLINE)
        wait_for(lambda: is_gone(run.pid))
    assert run.returncode == 130
    assert "goes on from here" in said
    assert "Traceback" not in said
    go_on(photos, out)
    assert_same_collections(open_collection(out), undisturbed)


@pytest.mark.parametrize("executor", ["serial", "processes:2"])
def test_no_room(photos: Path, undisturbed: Collection, tmp_path: Path, executor: str):
    """On a real disk that is too small; where none may be mounted, no file may grow, which a program takes for the same."""
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(out) as make_room:
        largest_file = None if make_room else LARGEST_FILE
        with started(photos, out, "--executor", executor, largest_file=largest_file) as run:
            _, said = run.communicate(timeout=DEADLINE)
        assert run.returncode == 1
        (line,) = [line for line in said.splitlines() if line.startswith("tiepoint: ")]
        assert line.startswith("tiepoint: cannot write")
        assert ("No space left on device" if make_room else "File too large") in line
        assert "Traceback" not in said
        assert not list(out.rglob(".tiepoint-*"))
        assert 0 < len(shards(out)) < SHARDS or not make_room
        (make_room or (lambda: None))()
        go_on(photos, out)
        assert_same_collections(open_collection(out), undisturbed)


def test_a_corrupt_file_in_the_middle_leaves_the_rest_as_it_is(
    photos: Path, undisturbed: Collection, tmp_path: Path
):
    mixed = tmp_path / "photos"
    mixed.mkdir()
    for path in photos.iterdir():
        (mixed / path.name).symlink_to(path)
    content = (photos / "view 6.png").read_bytes()
    (mixed / "view 6b.png").write_bytes(content[: len(content) // 2])
    go_on(mixed, tmp_path / "out", problems=1)
    assert_same_collections(open_collection(tmp_path / "out"), undisturbed)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None] | None]:
    """A disk of `DISK_BYTES` at a folder, and what makes room on it; None where it can't be mounted, as only root may."""
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
    """Whether a command is there, and succeeds."""
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True).returncode


def go_on(photos: Path, out: Path, *, problems: int = 0) -> None:
    """The next run, to its end."""
    report = match_collection(photos, out, threads=1, **SMALL)
    assert len(report.problems) == problems


def shards(out: Path) -> Sequence[Path]:
    return list(out.glob("stores/*/*/*.h5"))


def more_shards(out: Path, count: int) -> Callable[[], bool]:
    """Whether there are so many more than now, or all."""
    wanted = min(len(shards(out)) + count, SHARDS)
    return lambda: len(shards(out)) >= wanted


def is_gone(group: int) -> bool:
    """Whether no process of a group is left."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return False
    return True
