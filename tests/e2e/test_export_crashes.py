"""kill -9 during an export: output files are complete or absent, and the next export completes.

The time of the kill is random within the duration of an undisturbed export.
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
from tiepoint.collection.export.formats import MATCH_EXPORTS, export_as
from tiepoint.collection.run.runner import match_collection

NUM_IMAGES = 16
KILLS = 3  # per format, spread over its duration
FILES = {"colmap": "export.db", "parquet": "export.parquet"}
"""Output files of these formats; the others write folders."""

EXPORT = """
import os, signal, sys, threading, time
from tiepoint.collection.collection import open_collection
from tiepoint.collection.export.formats import export_as

folder, form, output, fraction = sys.argv[1:]
collection = open_collection(folder)
export_as(collection, form, os.path.join(os.path.dirname(output), "first"))  # warm-up: imports
start = time.perf_counter()
export_as(collection, form, os.path.join(os.path.dirname(output), "second"))
seconds = time.perf_counter() - start
killer = threading.Timer(float(fraction) * seconds, os.kill, (os.getpid(), signal.SIGKILL))
killer.start()
export_as(collection, form, output)
killer.join()
"""

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("exports")
    for path in write_image_folder(folder / "photos", NUM_IMAGES).iterdir():
        path.rename(path.with_name(path.name.replace(" ", "_")))  # COLMAP's text files cannot hold spaces
    match_collection(folder / "photos", folder / "collection", threads=1, **QUICK)
    return open_collection(folder / "collection")


@pytest.mark.parametrize("form", MATCH_EXPORTS)
def test_killed_export_leaves_complete_files_and_the_next_completes(
    collection: Collection, form: str, tmp_path: Path
):
    name = FILES.get(form, "export")
    whole = contents(export_as(collection, form, output_path(tmp_path, "undisturbed", name)))
    seed = 0 if os.environ.get("CI") else random.randrange(10**6)
    print(f"kill times from seed {seed}")
    times = random.Random(seed)
    for number in range(KILLS):
        out = output_path(tmp_path, str(number), name)
        killed = export_killed(collection, form, out, (number + times.random()) / KILLS)
        left = contents(out)
        assert left.items() <= whole.items()
        assert killed or left == whole
        assert contents(export_as(collection, form, out)) == whole
        # killed before it had a lock file, or after removing it, a process leaves an empty folder, removed an hour later
        assert not [path for path in out.parent.rglob(".tiepoint-export-*") if any(path.iterdir())]


def output_path(folder: Path, inner: str, name: str) -> Path:
    """Output path in a new folder."""
    (folder / inner).mkdir()
    return folder / inner / name


def export_killed(collection: Collection, form: str, out: Path, fraction: float) -> bool:
    """Export in a process that is killed after this fraction of its duration; return whether it was killed."""
    command = [sys.executable, "-c", EXPORT, str(collection.folder), form, str(out), str(fraction)]
    ended = subprocess.run(command, env=environment(), stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode != 0


def contents(path: Path) -> dict[str, object]:
    """Contents of an output path by file; temporary files are ignored."""
    if path.suffix == ".db":
        return {path.name: dump(path)} if path.exists() else {}
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in files
        if file.is_file() and not any(part.startswith(".tiepoint-") for part in file.parts)
    }


def dump(path: Path) -> tuple[str, ...]:
    """SQL dump of a database."""
    with sqlite3.connect(path) as database:
        return tuple(database.iterdump())
