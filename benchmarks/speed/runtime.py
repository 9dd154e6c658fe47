"""Time tiepoint-runtime, which runs exported bundles without PyTorch, against the package: extraction and matching apart.

    python -m benchmarks speed runtime                                         # exports the bundles, three minutes
    python -m benchmarks speed runtime --presets all                           # every preset with a network and local weights
    python -m benchmarks speed runtime --bundles DIR                           # keeps the bundles in DIR, and uses those there
    python -m benchmarks speed runtime --environment PYTHON                    # also size and start of a fresh environment

PYTHON is the interpreter of a fresh virtual environment in which only tiepoint-runtime was installed
(`pip install packages/tiepoint-runtime`). Its start is the time of the command `tiepoint-runtime match` on the first pair,
from an empty process to the written file. `python -m benchmarks speed render` shows the table in docs/results.md.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

import tiepoint
from benchmarks.accuracy.measure import has_weights
from benchmarks.images import Files, Pair, image_files, top_k
from benchmarks.paths import ROOT
from benchmarks.records import PACKAGES, about, write_record
from benchmarks.timing import OURS, Case, add_timing_arguments, as_dicts, num_runs, time_cases
from tiepoint.exporting.bundle import export_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.extraction.networks import NETWORKS
from tiepoint.image import read_image
from tiepoint.io.versions import installed_versions
from tiepoint.presets import PRESETS as PRESETS_BY_NAME
from tiepoint.runtimes.bundle import is_bundle
from tiepoint.types import Features
from tiepoint.types.options import LoadOptions

RECORD = "runtime.json"
PRESETS = ("xfeat+lighterglue", "aliked+lightglue")
ALL = "all"
FORMS = {True: "adaptive", False: "all layers", None: ""}
COUNTS = (512, 1024, 2048)
QUICK_COUNTS = (512,)
RUNTIME = "tiepoint-runtime"
SOURCE = ROOT / "packages" / "tiepoint-runtime" / "src"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, RECORD)
    parser.add_argument(
        "--presets", nargs="+", default=PRESETS, metavar="NAME", help="Presets to export, or all."
    )
    parser.add_argument("--bundles", type=Path, help="Folder of the bundles; missing ones are exported.")
    parser.add_argument(
        "--environment", type=Path, metavar="PYTHON", help="Interpreter of a fresh environment."
    )


def main(arguments: argparse.Namespace) -> None:
    """Time all cases and write the record."""
    runs = num_runs(arguments)
    presets = exportable() if arguments.presets == [ALL] else arguments.presets
    counts = QUICK_COUNTS if arguments.quick else COUNTS
    with tempfile.TemporaryDirectory() as temporary, image_files() as files:
        bundles = [export(name, arguments.bundles or Path(temporary)) for name in presets]
        pairs = next(iter(files.values()))
        environment = [measure_start(arguments.environment, bundle, pairs) for bundle in bundles]
        timings = time_cases(cases(presets, bundles, pairs, counts), runs=runs, only=arguments.only)
    record: dict[str, Any] = {"about": about(runs), "timings": as_dicts(timings)}
    record["about"]["versions"] = installed_versions((*PACKAGES, "openvino"))
    record["environment"] = [start for start in environment if start]
    write_record(arguments.records, RECORD, record)


def exportable() -> list[str]:
    """Return the presets that can be exported with weights that are on this machine."""
    return [name for name, row in PRESETS_BY_NAME.items() if row.extractor in NETWORKS and has_weights(name)]


def export(preset: str, folder: Path) -> Path:
    """Export a preset if the folder has no bundle of it."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / preset.replace("+", "-")
    if not is_bundle(bundle):
        export_bundle(preset, bundle, ExportOptions(form="adaptive"))
    return bundle


def measure_start(python: Path | None, bundle: Path, files: Files) -> dict[str, Any]:
    """Return the size of an environment and the seconds of a first match in a new process; empty without one."""
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "matches.json")
        command = [python, "-m", "tiepoint_runtime", "match", bundle, *files, "-o", output]
        seconds = []
        for _ in range(3):
            start = perf_counter()
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
            seconds.append(perf_counter() - start)
    size = sum(path.stat().st_size for path in python.parents[1].rglob("*") if path.is_file())
    return {"bundle": bundle.name, "megabytes": size / 1e6, "seconds": seconds}


def cases(
    presets: Sequence[str], bundles: Sequence[Path], files: Files, counts: Sequence[int]
) -> Iterator[Case]:
    """Yield extraction and matching of every preset."""
    for preset, bundle in zip(presets, bundles, strict=True):
        yield extraction_case(preset, bundle, files[0])
        matcher = tiepoint.load(preset, device="cpu")
        pair = matcher.extract(files[0]), matcher.extract(files[1])
        is_network = PRESETS_BY_NAME[preset].matcher == "lightglue"
        for count in counts:
            for adaptive in (True, False) if is_network else (None,):
                yield matching_case(preset, bundle, top_k(pair, count), adaptive)


def extraction_case(preset: str, bundle: Path, file: Path) -> Case:
    """Return the extraction of one decoded image, with its resizing."""
    ours, theirs = tiepoint.load(preset, device="cpu"), load_runtime(bundle, adaptive=True)
    pixels = np.ascontiguousarray(read_image(file).pixels.permute(1, 2, 0).numpy())
    return Case(
        "extraction",
        f"{preset}, {pixels.shape[1]} x {pixels.shape[0]}",
        {OURS: lambda: len(ours.extract(pixels)), RUNTIME: lambda: len(theirs.extract(pixels))},
    )


def matching_case(preset: str, bundle: Path, pair: Pair, adaptive: bool | None) -> Case:
    """Return the matching of a pair of features; None for `adaptive` is a matcher without layers."""
    options: LoadOptions = {} if adaptive is None else {"adaptive": adaptive}
    ours = tiepoint.load(preset, device="cpu", **options)
    theirs = load_runtime(bundle, adaptive=adaptive is not False)
    arrays = runtime_features(pair[0]), runtime_features(pair[1])
    return Case(
        "matching",
        ", ".join(filter(None, (preset, f"{len(pair[0])} keypoints", FORMS[adaptive]))),
        {
            OURS: lambda: len(ours.match_features([pair])[0]),
            RUNTIME: lambda: len(theirs.match_features([arrays])[0]),
        },
    )


def load_runtime(bundle: Path, *, adaptive: bool) -> Any:
    """Load a bundle in tiepoint-runtime, from its source, with as many threads as torch has."""
    if str(SOURCE) not in sys.path:
        sys.path.append(str(SOURCE))
    import tiepoint_runtime

    return tiepoint_runtime.Matcher.load(bundle, adaptive=adaptive, threads=torch.get_num_threads())


def runtime_features(features: Features) -> Any:
    """Return features of the package as arrays."""
    import tiepoint_runtime

    return tiepoint_runtime.Features(
        keypoints=features.keypoints.numpy(),
        scores=features.scores.numpy(),
        descriptors=features.descriptors.numpy(),
        image_size=features.image_size,
        kind=features.kind,
    )
