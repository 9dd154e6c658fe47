"""Measure the peak memory of `tiepoint stitch` on 30 images of 12 megapixels, in a process of its own.

    python -m benchmarks panorama memory           # minutes
    python -m benchmarks panorama memory --quick   # small images: a smoke test

Two rows of 15 views, a full circle, are rendered at half their size and enlarged: memory depends on the number of pixels,
not on what they show. The result is the part "memory" of panorama.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import PIL.Image
from rich.progress import track

from benchmarks.panorama.measure import RECORD
from benchmarks.panorama.scenes import render_scene, rotation, shoot
from benchmarks.records import (
    Record,
    about,
    add_quick_argument,
    add_records_argument,
    read_record,
    write_record,
)

ANGLES = [(24 * i, pitch) for pitch in (-11, 11) for i in range(15)]
SIZE, FOCAL_PX = (2000, 1500), 1850.0  # at half size
ENLARGEMENT = 2

PEAK_FILE = "TIEPOINT_PEAK_FILE"
RECORD_PEAK = f"""
import atexit, os, pathlib
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: pathlib.Path(os.environ["{PEAK_FILE}"]).write_text(status.read_text()))
from tiepoint.cli import main
main()
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_records_argument(parser, RECORD)
    add_quick_argument(parser)
    parser.add_argument("--preset", default="fast", help="Preset of tiepoint.")


def main(arguments: argparse.Namespace) -> None:
    """Render, stitch, and add the peak memory to the record."""
    scale = 0.2 if arguments.quick else 1.0
    with tempfile.TemporaryDirectory() as folder:
        paths = render_views(Path(folder), scale)
        found = stitch_alone(paths, Path(folder), arguments.preset)
    row = {"about": about(1), "preset": arguments.preset, "views": len(paths), **found}
    print({name: value for name, value in row.items() if name != "about"})
    record = read_record(arguments.records, RECORD) or {}
    write_record(arguments.records, RECORD, record | {"memory": row})


def render_views(folder: Path, scale: float = 1.0) -> list[Path]:
    """Write the views as JPEG files.

    Args:
        folder: Folder of the files.
        scale: Size of the images relative to 4000 x 3000 px.
    """
    scene = render_scene(round(12_288 * scale), round(4200 * scale))
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    paths = []
    for number, angles in enumerate(track(ANGLES, "rendering")):
        shot = shoot(scene, rotation(*angles), size=size, focal_px=FOCAL_PX * scale, samples=1)
        large = cv2.resize(shot.pixels, None, fx=ENLARGEMENT, fy=ENLARGEMENT, interpolation=cv2.INTER_CUBIC)
        paths.append(folder / f"{number:02}.jpg")
        PIL.Image.fromarray(large).save(paths[-1], quality=90)
    return paths


def stitch_alone(paths: list[Path], folder: Path, preset: str) -> Record:
    """Stitch files in a process of its own; return its peak memory, its time, and the panorama.

    Args:
        paths: Image files.
        folder: Folder of the panorama.
        preset: Preset of tiepoint.
    """
    values_path = folder / "panorama.json"
    outputs = ["-o", str(folder / "panorama.png"), "--json", str(values_path)]
    start = time.perf_counter()
    peak = peak_memory_mb(["stitch", *map(str, paths), *outputs, "--preset", preset])
    seconds = time.perf_counter() - start
    values = json.loads(values_path.read_text())
    width, height = PIL.Image.open(paths[0]).size
    return {
        "image_size": [width, height],
        "images": len(values["images"]),
        "panorama_size": values["image_size"],
        "peak_memory_mb": peak,
        "seconds": round(seconds, 1),
        "stages": {name: round(value, 1) for name, value in values["seconds"].items()},
    }


def peak_memory_mb(arguments: list[str]) -> int:
    """Run a command of tiepoint in a process of its own, and return its peak memory in MiB.

    The process reads its own peak from Linux when it ends: the one that `os.wait4` returns includes the peak of the process
    that started it.

    Args:
        arguments: Arguments of `tiepoint`.
    """
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "status"
        done = subprocess.run(
            [sys.executable, "-c", RECORD_PEAK, *arguments], env=os.environ | {PEAK_FILE: str(peak)}
        )
        if done.returncode != 0:
            sys.exit(f"tiepoint {arguments[0]} failed with exit status {done.returncode}")
        (line,) = [line for line in peak.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024
