"""Reconstruct the same images from tiepoint matches and from COLMAP's own SIFT, with the same mapper.

    python -m benchmarks reconstruction          # about 35 minutes on one core; resumable
    python -m benchmarks reconstruction render   # update docs/results.md from the record

Both use the same pairs and one camera for all images. tiepoint: the default preset and options. SIFT: pycolmap's defaults,
except max_num_features = 4096, which is what one core can match. The cameras of the fountain are surveyed: their positions
are compared after the best-fitting similarity transform.
"""

import argparse
import json
import shutil
from collections.abc import Callable
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
from benchmarks.paths import BUILD, DATA
from benchmarks.reconstruction.render import SIFT_FEATURES
from benchmarks.records import about, add_records_argument, write_record
from tiepoint.collection.collection import open_collection
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.geometry.colmap import quiet_pycolmap

RECORD = "reconstruction.json"
STORE = BUILD / "reconstruction"
RANDOM_SEED = 0

Result = dict[str, Any]
console = Console(stderr=True)


@dataclass(frozen=True)
class Scene:
    """A folder of images, the pairs that are matched, and the folder of surveyed cameras.

    Attributes:
        name: Name of the scene.
        images: Folder of images in ../shared/data.
        pairs: Pair selection.
        surveyed: Folder of surveyed cameras in ../shared/data; empty without a survey.
    """

    name: str
    images: str
    pairs: str = "exhaustive"
    surveyed: str = ""


SCENES = (
    Scene("fountain-P11", "strecha/fountain-P11/images", surveyed="strecha/fountain-P11/gt_dense_cameras"),
    Scene("sceaux_castle", "sceaux_castle/images"),
    Scene("lund_door12", "lund_door12/images"),
    Scene("opensfm_lund", "opensfm_lund/images", pairs="sequential:6"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="Reconstruct only scenes whose name contains this text.")
    parser.add_argument("--store", type=Path, default=STORE, help="Folder of collections and models.")
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Run what is missing and write the record."""
    torch.set_num_threads(1)
    scenes = [scene for scene in SCENES if arguments.only in scene.name]
    rows = [result(scene, method, arguments.store) for scene in scenes for method in methods_of(scene)]
    record = {"about": about(1), "rows": rows}
    record["about"]["versions"]["pycolmap"] = pycolmap.__version__
    write_record(arguments.records, RECORD, record)


def result(scene: Scene, method: str, store: Path) -> Result:
    """Return one row, computed once and kept in the store."""
    folder = store / scene.name / method
    path = folder / "row.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        row = {"scene": scene.name, "pairs": scene.pairs, "contestant": method}
        row |= METHODS[method](scene, folder)
        path.write_text(json.dumps(row) + "\n")
    row = json.loads(path.read_text())
    console.print(row, soft_wrap=True)
    return row


def from_tiepoint(scene: Scene, folder: Path, cameras: str = "shared") -> Result:
    """Match with tiepoint and run the mapper."""
    return reconstruct_in(folder.parent / "out", scene, cameras)


MAX_ERROR_PX = 4.0
"""Inlier threshold of the two-view geometry; the default of COLMAP."""


def reconstruct_in(out: Path, scene: Scene, cameras: str = "shared", **options: Any) -> Result:
    """Match with tiepoint into a folder, with options of `tiepoint.load`, and run the mapper."""
    report = tiepoint.match_collection(
        DATA / scene.images, out, pairs=scene.pairs, max_error_px=MAX_ERROR_PX, threads=1, **options
    )
    summary = reconstruct(out, cameras=cameras)
    model = read_model(open_collection(out))
    counts = {
        "images": report.images,
        "pair_count": report.pairs,
        "keypoints": report.keypoints / report.images,
    }
    return {**counts, **metrics(model, scene), "mapper_seconds": summary.seconds}


def from_tiepoint_separate_cameras(scene: Scene, folder: Path) -> Result:
    """Match with tiepoint and run the mapper with one camera per image, as for unknown cameras."""
    return from_tiepoint(scene, folder, cameras="each")


def from_tiepoint_full_size(scene: Scene, folder: Path) -> Result:
    """Match images of full size (as SIFT does; not resized to 1024 px) and run the mapper."""
    return reconstruct_in(folder / "out", scene, resize=None)


def from_sift(scene: Scene, folder: Path) -> Result:
    """Match the same pairs with COLMAP's SIFT and run the mapper."""
    return match_sift(list(open_collection(folder.parent / "out").pairs()), scene, folder)


def from_sift_all_pairs(scene: Scene, folder: Path) -> Result:
    """Match all pairs with COLMAP's SIFT, as is usual for a small folder, and run the mapper."""
    return match_sift(list(combinations(image_names(folder), 2)), scene, folder)


def match_sift(pairs: list[tuple[str, str]], scene: Scene, folder: Path) -> Result:
    """Run COLMAP's extraction, matching, verification and mapper."""
    images, database = DATA / scene.images, folder / "database.db"
    (folder / "pairs.txt").write_text("".join(f"{name0} {name1}\n" for name0, name1 in pairs))
    database.unlink(missing_ok=True)
    names = image_names(folder)
    with quiet_pycolmap():
        _extract_sift(database, images, names)
        _match_sift(database, folder / "pairs.txt")
    start = perf_counter()
    model = _run_mapper(database, images, folder / "sparse")
    row = {"images": len(names), "pair_count": len(pairs), **metrics(model, scene)}
    return {**row, "keypoints": mean_keypoints(database), "mapper_seconds": perf_counter() - start}


def image_names(folder: Path) -> list[str]:
    """Return the images that the first method used."""
    return [image.name for image in open_collection(folder.parent / "out").images]


def mean_keypoints(database: Path) -> float:
    """Return the mean number of keypoints per image; COLMAP exceeds its limit by whole scales and orientations."""
    with pycolmap.Database.open(str(database)) as file:
        return file.num_keypoints() / file.num_images()


METHODS: dict[str, Callable[[Scene, Path], Result]] = {
    "tiepoint": from_tiepoint,
    "tiepoint, one camera per image": from_tiepoint_separate_cameras,
    "tiepoint, full size": from_tiepoint_full_size,
    "pycolmap SIFT": from_sift,
    "pycolmap SIFT, all pairs": from_sift_all_pairs,
}
"""Methods in order: later ones use the collection of the first."""


def methods_of(scene: Scene) -> list[str]:
    """Return the methods of a scene: all pairs only where the others do not use them; no full size for the large scene."""
    excluded = "pycolmap SIFT, all pairs" if scene.pairs == "exhaustive" else "tiepoint, full size"
    return [name for name in METHODS if name != excluded]


def metrics(model: Any | None, scene: Scene) -> Result:
    """Return the metrics of a model."""
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
    """Return distances in m between camera positions and surveyed ones, after the best-fitting similarity transform."""
    images = [model.image(number) for number in model.reg_image_ids()]
    positions = np.array([image.projection_center() for image in images])
    surveyed = np.array([surveyed_position(folder / f"{image.name}.camera") for image in images])
    similarity = pycolmap.estimate_sim3d(positions, surveyed)
    aligned = np.array([similarity * position for position in positions])
    errors = np.linalg.norm(aligned - surveyed, axis=1)
    extent = float(np.linalg.norm(np.ptp(surveyed, axis=0)))
    return {"position_errors_m": errors.tolist(), "extent_m": extent}


def surveyed_position(file: Path) -> np.ndarray:
    """Return the projection center: the eighth line of a camera file of the Strecha data set."""
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    return np.array(lines[7].split(), np.float64)


def _extract_sift(database: Path, images: Path, names: list[str]) -> None:
    pycolmap.Database.open(str(database)).close()
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = 1, False
    options.sift.max_num_features = SIFT_FEATURES
    pycolmap.extract_features(
        str(database),
        str(images),
        image_names=names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        extraction_options=options,
    )


def _match_sift(database: Path, pairs: Path) -> None:
    matching, pairing = pycolmap.FeatureMatchingOptions(), pycolmap.ImportedPairingOptions()
    matching.num_threads, matching.use_gpu = 1, False
    pairing.match_list_path = str(pairs)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = RANDOM_SEED
    pycolmap.match_image_pairs(
        str(database), matching_options=matching, pairing_options=pairing, verification_options=verification
    )


def _run_mapper(database: Path, images: Path, folder: Path) -> Any | None:
    """Return the largest model; the mapper's options are those of `reconstruct`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    options = pycolmap.IncrementalPipelineOptions(num_threads=1, random_seed=RANDOM_SEED)
    with quiet_pycolmap():
        models = pycolmap.incremental_mapping(str(database), str(images), str(folder), options)
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)
