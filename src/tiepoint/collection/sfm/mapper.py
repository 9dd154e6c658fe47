"""COLMAP's incremental mapper, with further attempts if no pair initializes a model, and its global mapper."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tiepoint.collection.sfm.mapper_options import check_mapper_options, make_mapper_options
from tiepoint.geometry.colmap import quiet_pycolmap, require_pycolmap

MIN_MODEL_SIZE = 10
"""Registered images, or half of the images, from which a model is not worth another attempt; COLMAP's `min_model_size`."""

MIN_POINTS = 30
"""Points of a model, below which it is none; COLMAP's minimum of inliers for each image (`abs_pose_min_num_inliers`)."""

RELAXED = {"init_max_forward_motion": 1.0, "init_min_tri_angle": 2.0}
"""Initialization for forward motion and small baselines; COLMAP's defaults are 0.95 and 16 degrees."""

GIVEN_PAIR = {"init_max_forward_motion": 1.0, "init_min_tri_angle": 0.5, "init_min_num_inliers": 30}
"""Initialization from a given pair."""

DEFAULT_MAX_FOCAL_RATIO, MAX_FOCAL_CHANGE = 10.0, 2.0
"""COLMAP's limit of the focal length relative to the longer side; and the factor by which the mapper may change a prior."""

MAX_INITIAL_PAIRS = 3
"""Number of initial pairs that are tried, those with the most inliers first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of the mapper.

    Attributes:
        name: Kind of initialization in words.
        options: Options of the mapper that differ from COLMAP's defaults.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = {name: value for name, value in self.options.items() if not name.startswith("init_image_id")}
        values = ", ".join(f"{name}={value}" for name, value in shown.items())
        return f"{self.name} ({values})" if values else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class MapperRun:
    """Result of the mapper.

    Attributes:
        models: Models by the number of their folder; empty if no attempt had one.
        folder: Folder of the models.
        attempts: All attempts in order.
        best: Attempt that resulted in the models; None if none did.
    """

    models: Mapping[int, Any]
    folder: Path
    attempts: tuple[Attempt, ...]
    best: Attempt | None

    @property
    def size(self) -> int:
        """Number of registered images of the largest model that has points; 0 without one."""
        models = [model for model in self.models.values() if model.num_points3D() >= MIN_POINTS]
        return max((model.num_reg_images() for model in models), default=0)


def run_mapper(
    database: Path,
    image_folder: Path,
    output: Path,
    *,
    threads: int | None,
    seed: int,
    options: Mapping[str, Any],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> MapperRun:
    """Run the mapper until an attempt has a model of reasonable size, and return the largest one.

    Args:
        database: COLMAP database.
        image_folder: Folder that the image names are relative to.
        output: Existing empty folder; each attempt has a subfolder.
        threads: Number of threads; None for all cores.
        seed: Random seed.
        options: Options of the user by name; they have priority over those of the attempts.
        settings: Further options of all attempts by name.
    """
    num_images = _count_images(database)
    common: dict[str, Any] = {"num_threads": -1 if threads is None else threads, "random_seed": seed}
    common |= {**_focal_length_limits(database), **settings}
    best = MapperRun(models={}, folder=output, attempts=(), best=None)
    attempts: list[Attempt] = []
    for attempt in _attempts(database, options):
        attempts.append(attempt)
        folder = output / f"attempt-{len(attempts)}"
        folder.mkdir()
        layers = make_mapper_options(common, attempt.options, options)
        models = _incremental_mapping(database, image_folder, folder, layers)
        found = MapperRun(models=models, folder=folder, attempts=(), best=attempt)
        best = max(best, found, key=lambda run: run.size)
        if best.size >= min(MIN_MODEL_SIZE, (num_images + 1) // 2):
            break
    return MapperRun(models=best.models, folder=best.folder, attempts=tuple(attempts), best=best.best)


def run_global_mapper(
    database: Path,
    image_folder: Path,
    output: Path,
    *,
    threads: int | None,
    seed: int,
    options: Mapping[str, Any],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> MapperRun:
    """Run COLMAP's global mapper; focal lengths without a prior are first calibrated from the view graph.

    Args:
        database: COLMAP database.
        image_folder: Folder that the image names are relative to.
        output: Existing empty folder.
        threads: Number of threads; None for all cores.
        seed: Random seed.
        options: Options of the user by name, of `pycolmap.GlobalPipelineOptions`.
        settings: Further options by name.
    """
    pycolmap = require_pycolmap()
    common = {"num_threads": -1 if threads is None else threads, "random_seed": seed}
    pipeline = make_mapper_options(common, settings, options, mapper="global")
    copy = output / database.name  # calibration changes the database
    shutil.copyfile(database, copy)
    folder, attempt = output / "global", Attempt(name="global mapper")
    folder.mkdir()
    with quiet_pycolmap(silent=True):
        if not _has_focal_lengths(copy):
            attempt = Attempt(name="global mapper after view graph calibration")
            calibration = pycolmap.ViewGraphCalibrationOptions()
            calibration.random_seed = seed
            pycolmap.calibrate_view_graph(str(copy), calibration)
        models = pycolmap.global_mapping(str(copy), str(image_folder), str(folder), pipeline)
    models = {number: model for number, model in models.items() if model.num_points3D() >= MIN_POINTS}
    best = attempt if models else None
    return MapperRun(models=models, folder=folder, attempts=(attempt,), best=best)


def _has_focal_lengths(database: Path) -> bool:
    with require_pycolmap().Database.open(str(database)) as file:
        return all(camera.has_prior_focal_length for camera in file.read_all_cameras())


def _attempts(database: Path, options: Mapping[str, Any]) -> Iterator[Attempt]:
    """Yield COLMAP's own initialization, a relaxed one, and given initial pairs; without values that the user has set.

    Planar scenes and pure rotations are left to COLMAP's limits: beyond them, models of rotating cameras are made up.
    """
    is_given = check_mapper_options(options)
    yield Attempt(name="default initialization")
    pairs = _strongest_pairs(database)
    if not pairs:
        return
    yield Attempt(name="relaxed initialization", options=_without(RELAXED, is_given))
    if "init_image_id1" in is_given or "init_image_id2" in is_given:
        return
    for ids, names in pairs:
        pair = dict(zip(("init_image_id1", "init_image_id2"), ids, strict=True))
        yield Attempt(
            name=f"initial pair {names[0]}, {names[1]}", options=pair | _without(GIVEN_PAIR, is_given)
        )


def _without(values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _incremental_mapping(database: Path, image_folder: Path, output: Path, options: Any) -> dict[int, Any]:
    with quiet_pycolmap(silent=True):
        return require_pycolmap().incremental_mapping(str(database), str(image_folder), str(output), options)


def _count_images(database: Path) -> int:
    with require_pycolmap().Database.open(str(database)) as file:
        return file.num_images()


def _focal_length_limits(database: Path) -> dict[str, float]:
    """Return a limit that admits the telephoto lenses of the EXIF data; COLMAP rejects ratios above 10."""
    with require_pycolmap().Database.open(str(database)) as file:
        cameras = [camera for camera in file.read_all_cameras() if camera.has_prior_focal_length]
    ratios = [camera.mean_focal_length() / max(camera.width, camera.height) for camera in cameras]
    limit = MAX_FOCAL_CHANGE * max(ratios, default=0.0)
    return {"max_focal_length_ratio": limit} if limit > DEFAULT_MAX_FOCAL_RATIO else {}


def _strongest_pairs(database: Path) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    """Return ids and names of the pairs with an epipolar geometry and the most inliers; each image is in one pair only."""
    pycolmap = require_pycolmap()
    with pycolmap.Database.open(str(database)) as file:
        names = {image.image_id: image.name for image in file.read_all_images()}
        pair_ids, counts = file.read_two_view_geometry_num_inliers()
        ranked = sorted(zip(counts, pair_ids, strict=True), key=lambda row: (-row[0], row[1]))
        chosen: list[tuple[int, int]] = []
        for _, pair_id in ranked:
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            is_free = not {first, second} & {image for ids in chosen for image in ids}
            if len(chosen) < MAX_INITIAL_PAIRS and is_free and _has_epipolar_geometry(file, first, second):
                chosen.append((first, second))
    return [(ids, (names[ids[0]], names[ids[1]])) for ids in chosen]


def _has_epipolar_geometry(file: Any, first: int, second: int) -> bool:
    """Whether COLMAP found no homography that explains the pair as well."""
    kinds = require_pycolmap().TwoViewGeometryConfiguration
    kind = kinds(file.read_two_view_geometry(first, second).config)
    return kind in (kinds.CALIBRATED, kinds.UNCALIBRATED)
