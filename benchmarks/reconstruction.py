"""Reconstructions from our matches and from COLMAP's own SIFT, of the same photographs by the same mapper.

    .venv/bin/python benchmarks/reconstruction.py            # about 35 minutes on one core; goes on where it was
    .venv/bin/python benchmarks/reconstruction.py --render   # rewrite docs/results.md from the record, run nothing

Both see the same pairs and have one camera for all photographs. Ours: the default preset and its options. SIFT:
pycolmap's defaults, but max_num_features = 4096, which is what one core can match. The fountain's cameras are surveyed:
there the positions are compared, after the similarity that fits them best.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pycolmap
import torch
from rich.console import Console

import tiepoint
from pages import replaced, table
from tiepoint.collection.collection import open_collection
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.geometry.colmap import quiet_pycolmap
from timing import RECORDS, about

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "results.md"
NAME = "reconstruction.json"
SIFT_FEATURES = 4096
SEED = 0
HEADS = (
    "photographs",
    "matches by",
    "keypoints",
    "pairs",
    "registered",
    "points",
    "mean track length",
    "reprojection error, px",
    "position error, mm: mean, largest",
)
EXTENT = "the diagonal of the box around the surveyed cameras"

Result = dict[str, Any]
console = Console(stderr=True)


@dataclass(frozen=True)
class Scene:
    """Photographs, the pairs of them that are matched, and where surveyed cameras are."""

    name: str
    photographs: str
    pairs: str = "exhaustive"
    surveyed: str = ""


SCENES = (
    Scene("fountain-P11", "strecha/fountain-P11/images", surveyed="strecha/fountain-P11/gt_dense_cameras"),
    Scene("sceaux_castle", "sceaux_castle/images"),
    Scene("lund_door12", "lund_door12/images"),
    Scene("opensfm_lund", "opensfm_lund/images", pairs="sequential:6"),
)


def main() -> None:
    """Run what isn't done yet, write the record, render the page."""
    arguments = parse()
    torch.set_num_threads(1)
    if not arguments.render:
        scenes = [scene for scene in SCENES if arguments.only in scene.name]
        rows = [result(scene, name, arguments.store) for scene in scenes for name in contestants(scene)]
        arguments.records.mkdir(parents=True, exist_ok=True)
        record = {"about": about(1), "rows": rows}
        record["about"]["versions"]["pycolmap"] = pycolmap.__version__
        (arguments.records / NAME).write_text(json.dumps(record, indent=1) + "\n")
    render(json.loads((arguments.records / NAME).read_text()), arguments.page)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="scenes whose name holds this text")
    parser.add_argument("--render", action="store_true", help="only rewrite the page from the record")
    parser.add_argument("--store", type=Path, default=ROOT / "build" / "reconstruction", help="what is done")
    parser.add_argument("--records", type=Path, default=RECORDS, help=f"folder for {NAME}")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the marks")
    return parser.parse_args()


def result(scene: Scene, contestant: str, store: Path) -> Result:
    """One row; computed once, and kept."""
    folder = store / scene.name / contestant
    kept = folder / "row.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        row = {"scene": scene.name, "pairs": scene.pairs, "contestant": contestant}
        row |= CONTESTANTS[contestant](scene, folder)
        kept.write_text(json.dumps(row) + "\n")
    row = json.loads(kept.read_text())
    console.print(row, soft_wrap=True)
    return row


def ours(scene: Scene, folder: Path, cameras: str = "shared") -> Result:
    """Our matches, and the mapper on them."""
    return ours_in(folder.parent / "out", scene, cameras)


def ours_in(out: Path, scene: Scene, cameras: str = "shared", **options: Any) -> Result:
    """Likewise, in this folder and with these options of `tiepoint.load`."""
    report = tiepoint.match_collection(DATA / scene.photographs, out, pairs=scene.pairs, threads=1, **options)
    found = reconstruct(out, cameras=cameras)
    model = read_model(open_collection(out))
    of = {"images": report.images, "pair_count": report.pairs, "keypoints": report.keypoints / report.images}
    return {**of, **figures(model, scene), "mapper_seconds": found.seconds}


def ours_each(scene: Scene, folder: Path) -> Result:
    """Likewise with a camera for every photograph, as where nothing is known of them."""
    return ours(scene, folder, cameras="each")


def ours_whole(scene: Scene, folder: Path) -> Result:
    """Likewise with keypoints found in photographs of full size, as SIFT finds its own; not reduced to 1024 px."""
    return ours_in(folder / "out", scene, resize=None)


def sift(scene: Scene, folder: Path) -> Result:
    """COLMAP's own features and matches of the same pairs, and the mapper on them."""
    return sift_of(list(open_collection(folder.parent / "out").pairs()), scene, folder)


def sift_all(scene: Scene, folder: Path) -> Result:
    """Likewise of all pairs, which is how COLMAP is run on a small folder."""
    return sift_of(list(combinations(names_of(folder), 2)), scene, folder)


def sift_of(pairs: list[tuple[str, str]], scene: Scene, folder: Path) -> Result:
    """Features, matches, verification and mapper, all COLMAP's."""
    photographs, database = DATA / scene.photographs, folder / "database.db"
    (folder / "pairs.txt").write_text("".join(f"{name0} {name1}\n" for name0, name1 in pairs))
    database.unlink(missing_ok=True)
    names = names_of(folder)
    with quiet_pycolmap():
        _extract_sift(database, photographs, names)
        _match_sift(database, folder / "pairs.txt")
    start = perf_counter()
    model = _mapped(database, photographs, folder / "sparse")
    found = {"images": len(names), "pair_count": len(pairs), **figures(model, scene)}
    return {**found, "keypoints": sift_keypoints(database), "mapper_seconds": perf_counter() - start}


def names_of(folder: Path) -> list[str]:
    """The photographs that the first contestant used."""
    return [photograph.name for photograph in open_collection(folder.parent / "out").images]


def sift_keypoints(database: Path) -> float:
    """Of an image, on average: COLMAP goes beyond its limit, as it keeps whole scales and several orientations."""
    with pycolmap.Database.open(str(database)) as file:
        return file.num_keypoints() / file.num_images()


CONTESTANTS: dict[str, Callable[[Scene, Path], Result]] = {
    "tiepoint": ours,
    "tiepoint, a camera each": ours_each,
    "tiepoint, full size": ours_whole,
    "pycolmap SIFT": sift,
    "pycolmap SIFT, all pairs": sift_all,
}
"""In this order: the later ones use what the first left."""


def contestants(scene: Scene) -> list[str]:
    """All pairs are one contestant more only where they aren't what all others have; the large scene has no full size."""
    left_out = "pycolmap SIFT, all pairs" if scene.pairs == "exhaustive" else "tiepoint, full size"
    return [name for name in CONTESTANTS if name != left_out]


def figures(model: Any | None, scene: Scene) -> Result:
    """What a model comes to."""
    if model is None:
        return {"registered": 0}
    return {
        "registered": model.num_reg_images(),
        "points": model.num_points3D(),
        "mean_track_length": model.compute_mean_track_length(),
        "mean_reprojection_error_px": model.compute_mean_reprojection_error(),
        **(position_errors(model, DATA / scene.surveyed) if scene.surveyed else {}),
    }


def position_errors(model: Any, folder: Path) -> Result:
    """Distances between camera positions and the surveyed ones, in meters, after the best similarity."""
    images = [model.image(number) for number in model.reg_image_ids()]
    found = np.array([image.projection_center() for image in images])
    surveyed = np.array([surveyed_position(folder / f"{image.name}.camera") for image in images])
    similarity = pycolmap.estimate_sim3d(found, surveyed)
    errors = np.linalg.norm(np.array([similarity * position for position in found]) - surveyed, axis=1)
    extent = float(np.linalg.norm(np.ptp(surveyed, axis=0)))
    return {"position_errors_m": errors.tolist(), "extent_m": extent}


def surveyed_position(file: Path) -> np.ndarray:
    """The eighth line of Strecha's camera files: the center of projection."""
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    return np.array(lines[7].split(), np.float64)


def _extract_sift(database: Path, photographs: Path, names: list[str]) -> None:
    pycolmap.Database.open(str(database)).close()
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = 1, False
    options.sift.max_num_features = SIFT_FEATURES
    pycolmap.extract_features(
        str(database),
        str(photographs),
        image_names=names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        extraction_options=options,
    )


def _match_sift(database: Path, pairs: Path) -> None:
    matching, pairing = pycolmap.FeatureMatchingOptions(), pycolmap.ImportedPairingOptions()
    matching.num_threads, matching.use_gpu = 1, False
    pairing.match_list_path = str(pairs)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    pycolmap.match_image_pairs(
        str(database), matching_options=matching, pairing_options=pairing, verification_options=verification
    )


def _mapped(database: Path, photographs: Path, folder: Path) -> Any | None:
    """The largest model; the mapper's options are those of `reconstruct`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    options = pycolmap.IncrementalPipelineOptions(num_threads=1, random_seed=SEED)
    with quiet_pycolmap():
        models = pycolmap.incremental_mapping(str(database), str(photographs), str(folder), options)
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def render(record: Result, page: Path) -> None:
    """Put the table between the marks."""
    page.write_text(replaced(page.read_text(), "reconstruction", sections(record)))


def sections(record: Result) -> Iterator[str]:
    """Command and machine, the table, and what the survey says."""
    known = record["about"]
    versions = ", ".join(f"{name} {number}" for name, number in known["versions"].items())
    yield (
        f"`{known['command']}`, {known['date']}, {known['machine']['processor']}, one thread; {versions}. All have "
        f"the same mapper, and one camera for all photographs where nothing else is said; SIFT: pycolmap's defaults, but "
        f"max_num_features = {SIFT_FEATURES}."
    )
    yield table(HEADS, map(row_cells, record["rows"]))
    yield from survey_sentences(record["rows"])
    yield from failure_sentences(record["rows"])


def row_cells(row: Result) -> list[str]:
    """One scene, one contestant."""
    return [
        row["scene"],
        row["contestant"],
        f"{row['keypoints']:.0f}",
        f"{row['pair_count']}",
        f"{row['registered']} of {row['images']}",
        f"{row.get('points', 0):,}",
        f"{row.get('mean_track_length', 0):.2f}",
        f"{row.get('mean_reprojection_error_px', 0):.2f}",
        position_cell(row),
    ]


def position_cell(row: Result) -> str:
    """Millimeters, where cameras are surveyed."""
    if "position_errors_m" not in row:
        return "–"
    errors = 1000 * np.array(row["position_errors_m"])
    return f"{errors.mean():.1f}, {errors.max():.1f}"


def survey_sentences(rows: list[Result]) -> Iterator[str]:
    """The largest error as a share of the scene's extent."""
    for row in rows:
        if "position_errors_m" in row:
            share = max(row["position_errors_m"]) / row["extent_m"]
            yield (
                f"{row['scene']}, {row['contestant']}: the largest error is {share:.3%} of the extent of "
                f"{row['extent_m']:.1f} m ({EXTENT})."
            )


def failure_sentences(rows: list[Result]) -> Iterator[str]:
    """Why a model may have only a few of the photographs."""
    few = [f"{row['scene']}, {row['contestant']}" for row in rows if row["registered"] < row["images"] / 2]
    if few:
        yield (
            f"{'; '.join(few)}: by COLMAP's log no two photographs were a good beginning, even after it had relaxed what it "
            "asks of them."
        )


if __name__ == "__main__":
    main()
