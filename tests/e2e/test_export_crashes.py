"""kill -9 in the middle of an export: what stands under its name is whole, and the next export ends as if nothing had been.

The moment of a kill is drawn from a seed: anywhere in the time that an undisturbed export takes.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.small_collections import QUICK, environment, write_image_folder

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.formats import EXPORTS, export_as
from tiepoint.collection.run.runner import match_collection

NUM_IMAGES = 16
KILLS = 3  # of each format, spread over its time
FILES = {"colmap": "export.db", "parquet": "export.parquet"}
"""Where these formats go; the others make folders."""

EXPORT = """
import os, signal, sys, threading, time
from tiepoint.collection.collection import open_collection
from tiepoint.collection.export.formats import export_as

folder, form, destination, share = sys.argv[1:]
collection = open_collection(folder)
export_as(collection, form, os.path.join(os.path.dirname(destination), "first"))  # imports what the format needs
start = time.perf_counter()
export_as(collection, form, os.path.join(os.path.dirname(destination), "second"))
seconds = time.perf_counter() - start
killer = threading.Timer(float(share) * seconds, os.kill, (os.getpid(), signal.SIGKILL))
killer.start()
export_as(collection, form, destination)
killer.join()
"""

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("exports")
    for path in write_image_folder(folder / "photos", NUM_IMAGES).iterdir():
        path.rename(path.with_name(path.name.replace(" ", "_")))  # COLMAP's text takes no spaces
    match_collection(folder / "photos", folder / "collection", threads=1, **QUICK)
    return open_collection(folder / "collection")


@pytest.mark.parametrize("form", EXPORTS)
def test_a_killed_export_leaves_whole_files_and_is_ended_by_the_next(
    collection: Collection, form: str, tmp_path: Path
):
    name = FILES.get(form, "export")
    whole = contents(export_as(collection, form, place(tmp_path, "undisturbed", name)))
    seed = 0 if os.environ.get("CI") else random.randrange(10**6)
    print(f"moments are drawn from seed {seed}")
    moments = random.Random(seed)
    for number in range(KILLS):
        out = place(tmp_path, str(number), name)
        killed = export_until(collection, form, out, (number + moments.random()) / KILLS)
        left = contents(out)
        assert left.items() <= whole.items()
        assert killed or left == whole
        assert contents(export_as(collection, form, out)) == whole


def place(folder: Path, inner: str, name: str) -> Path:
    """Where an export goes: a folder of its own for each."""
    (folder / inner).mkdir()
    return folder / inner / name


def export_until(collection: Collection, form: str, out: Path, share: float) -> bool:
    """Export in a process that is killed after this share of the time that it needs; whether that was in time."""
    command = [sys.executable, "-c", EXPORT, str(collection.folder), form, str(out), str(share)]
    ended = subprocess.run(command, env=environment(), stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode != 0


def contents(path: Path) -> dict[str, object]:
    """What stands under a name, file by file; temporary files don't count."""
    if path.suffix == ".db":
        return {path.name: dump(path)} if path.exists() else {}
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in files
        if file.is_file() and not file.name.startswith(".tiepoint-")
    }


def dump(path: Path) -> tuple[str, ...]:
    """A database as text."""
    with sqlite3.connect(path) as database:
        return tuple(database.iterdump())
